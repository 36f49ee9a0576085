"""The settings: one pydantic model a section, the same names in REST, CLI and files; defaults are Warp's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

Fraction = Annotated[float, Field(ge=0, le=1)]
GridXY = Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=2, max_length=2)]
GridXYT = Annotated[list[Annotated[int, Field(ge=1, le=4096)]], Field(min_length=3, max_length=3)]


class SettingsError(ValueError):
    """Settings that cannot be; `errors` has one `{name, value, problem}` a fault, the text is one line of all."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        self.errors = errors
        super().__init__("; ".join(_told(error) for error in errors))


class Section(BaseModel):
    """Base of the sections: unknown names are refused, values never coerced from text, never NaN or infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True)


class ImportSettings(Section):
    """What a raw movie is and how it is read. Pixel sizes in Å, dose in e⁻/Å² a frame; `binning` x means 2^x."""

    data: str = ""
    patterns: list[str] = Field(default=["*.tif", "*.tiff", "*.mrc", "*.mrcs", "*.eer"], min_length=1)
    recursive: bool = False
    pixel_size: float | None = Field(default=None, gt=0.01, le=100)
    binning: float = Field(default=0.0, ge=0, le=4)
    gain_path: str | None = None
    gain_flip_x: bool = False
    gain_flip_y: bool = False
    gain_transpose: bool = False
    defects_path: str | None = None
    dose_per_frame: float = Field(default=1.0, ge=0, le=1000)
    eer_groups: int | None = Field(default=40, ge=1, le=10000)
    eer_frames_per_group: int | None = Field(default=None, ge=1, le=10000)
    eer_dose_per_group: float | None = Field(default=None, gt=0, le=1000)
    eer_upsampling: Literal[1, 2, 4] = 1
    skip_first: int = Field(default=0, ge=0, le=10000)
    skip_last: int = Field(default=0, ge=0, le=10000)

    @field_validator("patterns")
    @classmethod
    def _patterns_are_names(cls, patterns: list[str]) -> list[str]:
        for pattern in patterns:
            if not pattern.strip() or "/" in pattern:
                raise ValueError("each pattern is a file name with wildcards, without a slash")
        return patterns


class MotionSettings(Section):
    """Motion fit: band in Å, B-factor in Å², grid `[x, y, t]` or automatic, frames summed for the fit or automatic."""

    enabled: bool = True
    range_min: float = Field(default=500.0, gt=0, le=100000)
    range_max: float = Field(default=10.0, gt=0, le=1000)
    b_factor: float = Field(default=-500.0, ge=-100000, le=0)
    grid: GridXYT | None = None
    group_frames: int | None = Field(default=None, ge=1, le=10000)

    @model_validator(mode="after")
    def _ordered(self) -> MotionSettings:
        if self.range_max >= self.range_min:
            raise ValueError("range_max (Å) must be finer, so smaller, than range_min")
        return self


class CtfSettings(Section):
    """CTF fit: window in px, band in Å, defocus in µm, voltage in kV, Cs in mm."""

    enabled: bool = True
    window: int = Field(default=512, ge=128, le=4096, multiple_of=2)
    range_min: float = Field(default=30.0, gt=0, le=1000)
    range_max: float = Field(default=4.0, gt=0, le=1000)
    defocus_min: float = Field(default=0.5, ge=-20, le=20)
    defocus_max: float = Field(default=5.0, ge=-20, le=20)
    voltage: float = Field(default=300.0, ge=20, le=2000)
    cs: float = Field(default=2.7, ge=0, le=20)
    amplitude_contrast: Fraction = 0.07
    fit_phase: bool = False
    use_sum: bool = False
    grid: GridXY | None = None

    @model_validator(mode="after")
    def _ordered(self) -> CtfSettings:
        if self.range_max >= self.range_min:
            raise ValueError("range_max (Å) must be finer, so smaller, than range_min")
        if self.defocus_max <= self.defocus_min:
            raise ValueError("defocus_max must be larger than defocus_min")
        return self


class PickingSettings(Section):
    """Picking: nothing is picked until a diameter (Å) is given. `minimum_distance` in Å, null: three quarters of one.

    `diameter_max` (Å), `shapes` and `aspect` (longest by shortest extent) are the blobs', `angular_step` (degrees) that of a
    map's projections, `rotation_step` that of templates in the plane.
    """

    enabled: bool = True
    method: Literal["blob", "template", "network"] = "blob"
    diameter: float | None = Field(default=None, gt=0, le=5000)
    diameter_max: float | None = Field(default=None, gt=0, le=5000)
    shapes: list[Literal["disc", "ring"]] = Field(default=["disc", "ring"], min_length=1, max_length=2)
    aspect: float = Field(default=1.0, ge=1, le=5)
    threshold: float = Field(default=0.5, ge=0, le=1)
    minimum_distance: float | None = Field(default=None, ge=0, le=10000)
    contrast: Literal["dark", "bright"] = "dark"
    templates_path: str | None = None
    angular_step: float = Field(default=30.0, ge=3, le=180)
    rotation_step: float = Field(default=10.0, ge=1, le=360)
    weights_path: str | None = None
    suffix: str = Field(default="picks", pattern=r"^[A-Za-z0-9_-]{1,64}$")

    @model_validator(mode="after")
    def _possible(self) -> PickingSettings:
        if self.diameter_max is not None and (self.diameter is None or self.diameter_max < self.diameter):
            raise ValueError(
                "diameter_max (Å) needs a diameter that is no larger; a range runs from diameter to diameter_max"
            )
        if len(set(self.shapes)) < len(self.shapes):
            raise ValueError("shapes names one twice")
        return self


class ExportSettings(Section):
    """Outputs: `box_size` in px of the particle pixel size (Å; null: that of the average)."""

    average: bool = True
    halves: bool = False
    stack: bool = False
    deconvolution: bool = False
    deconvolution_strength: float = Field(default=1.0, ge=0, le=100)
    deconvolution_falloff: float = Field(default=1.0, ge=0, le=100)
    float16: bool = False
    dose_weighting: bool = True
    particles: bool = False
    box_size: int | None = Field(default=None, ge=8, le=4096, multiple_of=2)
    particle_pixel_size: float | None = Field(default=None, gt=0.01, le=100)
    invert: bool = True
    normalize: bool = True


class FilterSettings(Section):
    """Limits beyond which a processed movie is filtered out: defocus and astigmatism in µm, others in Å, junk in %. null: no limit."""

    defocus_min: float | None = 0.0
    defocus_max: float | None = 5.0
    astigmatism_max: float | None = Field(default=3.0, ge=0)
    resolution_max: float | None = Field(default=5.0, ge=0)
    motion_max: float | None = Field(default=5.0, ge=0)
    particles_min: int | None = Field(default=1, ge=0)
    junk_max: float | None = Field(default=10.0, ge=0, le=100)


class Settings(Section):
    """All sections. `import` is `import_` in Python."""

    import_: ImportSettings = Field(default_factory=ImportSettings, alias="import")
    motion: MotionSettings = Field(default_factory=MotionSettings)
    ctf: CtfSettings = Field(default_factory=CtfSettings)
    picking: PickingSettings = Field(default_factory=PickingSettings)
    export: ExportSettings = Field(default_factory=ExportSettings)
    filter: FilterSettings = Field(default_factory=FilterSettings)

    def to_dict(self) -> dict[str, Any]:
        """Nested plain dict by section, `import` under its wire name."""
        return self.model_dump(by_alias=True, mode="json")

    @property
    def picks(self) -> bool:
        """Whether picking runs: on, and with a diameter or templates to go by."""
        return self.picking.enabled and (self.picking.diameter is not None or self.picking.templates_path is not None)


def parse_settings(raw: dict[str, Any]) -> Settings:
    """Settings from nested dicts (JSON types). Raises SettingsError naming each fault, its value and what is allowed."""
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError([_fault(detail) for detail in error.errors(include_url=False)]) from None


def patch_settings(settings: Settings, patch: dict[str, Any]) -> Settings:
    """Settings with the named ones changed (`{"ctf": {"range_max": 5}}`). Raises SettingsError."""
    merged = settings.to_dict()
    for section, values in patch.items():
        if isinstance(values, dict) and isinstance(merged.get(section), dict):
            merged[section] = {**merged[section], **values}
        else:
            merged[section] = values
    return parse_settings(merged)


def changed_names(old: Settings, new: Settings) -> list[str]:
    """Dotted names whose values differ, in model order."""
    before, after = old.to_dict(), new.to_dict()
    return [
        f"{section}.{name}"
        for section, values in after.items()
        for name, value in values.items()
        if before[section][name] != value
    ]


def parse_assignment(text: str) -> dict[str, Any]:
    """`ctf.voltage=200` as a patch; the value is JSON, or text where it is no JSON. Raises SettingsError."""
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise SettingsError([{"name": text, "value": None, "problem": "write it as section.name=value"}])
    try:
        parsed: Any = json.loads(value)
    except json.JSONDecodeError:
        parsed = value
    return {section: {key: parsed}}


def load_settings_file(path: Path) -> Settings:
    """Settings from a JSON file. Raises SettingsError with the path in it where it cannot be read or is wrong."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError([{"name": str(path), "value": None, "problem": f"cannot be read: {error}"}]) from None
    if not isinstance(raw, dict):
        raise SettingsError([{"name": str(path), "value": None, "problem": "is not a JSON object of sections"}])
    try:
        return parse_settings(raw)
    except SettingsError as error:
        raise SettingsError([{**fault, "name": f"{path}: {fault['name']}"} for fault in error.errors]) from None


def _told(error: dict[str, Any]) -> str:
    value = "" if error["value"] is None else f" = {error['value']!r}"
    return f"{error['name']}{value}: {error['problem']}"


def _fault(detail: Any) -> dict[str, Any]:
    name = ".".join(str(part) for part in detail["loc"]) or "settings"
    problem = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        section = detail["loc"][0] if len(detail["loc"]) > 1 else None
        known = _known_names(section)
        problem = f"unknown setting; known here: {', '.join(known)}"
    value = detail["input"]
    if detail["type"] == "missing" or isinstance(value, dict):
        value = None
    return {"name": name, "value": value, "problem": problem[:1].lower() + problem[1:]}


def _known_names(section: Any) -> list[str]:
    if section is None:
        return [field.alias or name for name, field in Settings.model_fields.items()]
    field = Settings.model_fields["import_" if section == "import" else str(section)]
    model = field.annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    return list(model.model_fields)
