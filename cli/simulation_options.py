"""What can be simulated: each option with its unit, range and description, and its value from `name=value`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

from warpcore.cli import generated_docs
from warpcore.cli.errors import CliError


def _pair(value: Any) -> Any:
    """One number stands for a range without width; JSON's pairs are lists."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value, value
    return tuple(value) if isinstance(value, list) else value


Range = Annotated[tuple[float, float], BeforeValidator(_pair)]


def _option(
    default: Any,
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    *,
    each: tuple[float, float] | None = None,
    about: str,
) -> Any:
    """A field with what help and docs say of it; `each` limits both ends of a range."""
    extra: dict[str, Any] = {"unit": unit, "each": each}
    return Field(default, ge=low, le=high, description=about, json_schema_extra=extra)


class SimulationOptions(BaseModel):
    """What is simulated. Values are checked strictly; pairs are ranges that each movie's value is drawn from evenly."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    frames: int = _option(24, 1, 10000, about="frames of a movie")
    height: int = _option(1024, 64, 16384, "px", about="height of a frame")
    width: int = _option(1024, 64, 16384, "px", about="width of a frame")
    pixel_size_angstrom: float = _option(1.35, 0.1, 20, "Å", about="size of a pixel")
    dose_per_frame: float = _option(1.5, 0.001, 1000, "e⁻/Å²", about="exposure of a frame")
    voltage_kv: float = _option(300.0, 20, 2000, "kV", about="acceleration voltage")
    cs_mm: float = _option(2.7, 0, 100, "mm", about="spherical aberration")
    amplitude_contrast: float = _option(0.07, 0, 0.99, about="share of amplitude contrast")
    defocus_um: Range = _option((0.9, 2.2), unit="µm", each=(-100, 100), about="mean defocus, underfocus positive")
    astigmatism_um: Range = _option((0.0, 0.08), unit="µm", each=(-10, 10), about="defocus U - V")
    phase_shift_pi: Range = _option((0.0, 0.0), unit="π", each=(-2, 2), about="phase shift of a phase plate")
    b_factor_a2: float = _option(30.0, 0, 10000, "Å²", about="B-factor of the envelope")
    drift_angstrom: float = _option(20.0, 0, 1000, "Å", about="length of the track at the frame's centre")
    local_angstrom: float = _option(4.0, 0, 100, "Å", about="largest local displacement at the last frame")
    particles: int = _option(50, 0, 100000, about="particles centred within the frame; fewer where no more fit")
    structure: Path | None = _option(None, about="a PDB or mmCIF file; without one the shipped apoferritin")
    ice_thickness_angstrom: float = _option(300.0, 0, 10000, "Å", about="thickness of the ice")
    radiation_damage: bool = _option(True, about="whether the specimen fades with the dose")
    gain: bool = _option(True, about="whether the detector is uneven; then gain.mrc is written")
    bad_pixels: int = _option(20, 0, 100000, about="bad pixels, half of them hot, half dead")
    file_format: Literal["tif", "mrc"] = _option("tif", about="LZW TIFF or MRC")
    first_number: int = _option(1, 0, 1_000_000, about="number of the first movie")

    @field_validator("defocus_um", "astigmatism_um", "phase_shift_pi")
    @classmethod
    def _ordered_and_within(cls, value: tuple[float, float], info: ValidationInfo) -> tuple[float, float]:
        low, high = _extra(cls.model_fields[str(info.field_name)])["each"]
        if not low <= value[0] <= value[1] <= high:
            raise ValueError(f"low end first, from {low:g} to {high:g}")
        return value

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in px."""
        return self.height, self.width


def simulation_options(assignments: Iterable[str]) -> SimulationOptions:
    """The defaults with options changed by `name=value`, the values as JSON or plain text. Raises CliError."""
    known = SimulationOptions.model_fields
    changes: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or name not in known:
            raise CliError(f"{text}: write it as name=value; known names: {', '.join(known)}")
        changes[name] = _decoded(value)
    try:
        # As JSON, where a list stands for a pair and a text for a path.
        return SimulationOptions.model_validate_json(json.dumps(changes))
    except ValidationError as error:
        faults = {str(fault["loc"][0]) for fault in error.errors()}
        raise CliError("; ".join(_refusal(name, changes[name]) for name in changes if name in faults)) from None


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # also a number of thousands of digits, and lists in lists in lists
        return text


def _refusal(name: str, value: Any) -> str:
    """One line: the option, the value that does not fit, and what does."""
    shown = value if isinstance(value, str) else json.dumps(value)
    return f"{name} = {shown}: {_allowed(SimulationOptions.model_fields[name])} is needed"


def _allowed(info: FieldInfo) -> str:
    """The values that an option takes, in words: `a whole number from 1 to 10000`."""
    kinds: dict[Any, str] = {int: "a whole number", float: "a number", bool: "true or false"}
    if choices := get_args(info.annotation):
        if all(isinstance(choice, str) for choice in choices):
            return " or ".join(choices)
        if Path in choices:
            return "a path"
    each = _extra(info)["each"]
    low, high = each or (_limit(info, "ge"), _limit(info, "le"))
    kind = "a range such as [1, 2], low end first," if each else kinds[info.annotation]
    return kind if low is None else f"{kind} from {low:.10g} to {high:.10g}"


def _limit(info: FieldInfo, name: str) -> Any:
    return next((getattr(one, name) for one in info.metadata if hasattr(one, name)), None)


def table() -> str:
    """All options as a Markdown table."""
    rows = []
    for name, info in SimulationOptions.model_fields.items():
        default = "" if info.default is None else info.default
        shown = default if isinstance(default, str) else json.dumps(default)
        rows.append((f"`{name}`", str(shown), _extra(info)["unit"], _allowed(info), info.description or ""))
    return generated_docs.table(("option", "default", "unit", "allowed", "meaning"), rows)


def _extra(info: FieldInfo) -> dict[str, Any]:
    return dict(info.json_schema_extra) if isinstance(info.json_schema_extra, dict) else {}
