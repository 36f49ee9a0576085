"""The settings of a session: the sections of all steps, `import`, `filter`, `alarms` and `session`.

The same names in REST, CLI and files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from pydantic import ConfigDict, Field, ValidationError, create_model, field_validator
from pydantic.fields import FieldInfo

from warpcore.services.session.alarm_settings import AlarmSettings
from warpcore.services.session.errors import one_line
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Column, Limit, limits_of
from warpcore.services.steps.ctf import CtfSettings
from warpcore.services.steps.export import ExportSettings
from warpcore.services.steps.fields import Reach, Section, setting
from warpcore.services.steps.motion import MotionSettings
from warpcore.services.steps.picking import PickingSettings
from warpcore.services.steps.source import ImportSettings

__all__ = [
    "LARGEST_BYTES",
    "SECTIONS",
    "AlarmSettings",
    "CtfSettings",
    "ExportSettings",
    "FilterSettings",
    "ImportSettings",
    "MotionSettings",
    "PickingSettings",
    "Section",
    "SessionSettings",
    "Settings",
    "SettingsError",
    "changed_names",
    "check_size",
    "described",
    "differences",
    "parse_assignment",
    "parse_settings",
    "patch_settings",
]


LARGEST_BYTES = 64 * 1024
"""All settings as JSON; those of a usual session take 4 kB."""

MOST_FAULTS = 100
"""Impossible settings that are told."""

LONGEST_TOLD = 500
"""Characters of an impossible value that its line shows."""


class SettingsError(ValueError):
    """Impossible settings; `errors` has one `{name, value, problem}` a fault, the text is one line of all."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        self.errors = errors
        super().__init__(one_line("; ".join(_told(error) for error in errors)))


class SessionSettings(Section):
    """The session as a whole."""

    pause_after: float | None = setting(
        None,
        "pause processing after so long without anything to do, and go on with the next movie; null: never",
        unit="min",
        reach=Reach.NOTHING,
        gt=0,
        le=10_000,
    )
    disk_needed_gb: float | None = setting(
        2.0,
        "hold while less is left for results, or less than a twentieth of a small disk, and go on by itself; null: "
        "hold when the disk is full",
        unit="GB",
        reach=Reach.NOTHING,
        gt=0,
    )


class FilterSettings(Section):
    """Limits of what is measured: a processed movie beyond one is filtered out. null: no limit."""

    model_config = ConfigDict(extra="forbid")

    limits: dict[str, list[float | None]] = setting(
        {},
        'limits of any other measured value, by column: `{"ctf.ice_ring": [null, 2.5]}`, [lowest, highest] allowed; '
        "null: no limit",
        reach=Reach.NOTHING,
    )

    @field_validator("limits")
    @classmethod
    def _possible(cls, limits: dict[str, list[float | None]]) -> dict[str, list[float | None]]:
        for name, ends in limits.items():
            if name not in CHAIN.column:
                raise ValueError(f"{name}: there is no such column; there are {', '.join(CHAIN.column)}")
            if len(ends) != 2:
                raise ValueError(f"{name}: give [lowest, highest], null for no limit")
            low, high = ends
            if low is not None and high is not None and low > high:
                raise ValueError(f"{name}: the lowest value allowed, {low:g}, is above the highest, {high:g}")
        return limits

    def limit(self, name: str) -> float | None:
        """The value of a limit, None for no limit."""
        value: float | None = getattr(self, name)
        return value


def _limit_field(limit: Limit, column: Column) -> tuple[Any, Any]:
    kind: Any = (int if limit.whole else float) | None
    bounds: dict[str, Any] = {
        name: value for name, value in (("ge", limit.lowest), ("le", limit.highest)) if value is not None
    }
    text = f"{'highest' if limit.upper else 'lowest'} {column.noun} allowed ({column.description}); null: no limit"
    return kind, setting(limit.default, text, unit=column.unit, reach=Reach.NOTHING, **bounds)


class _Settings(Section):
    """All sections. `import` is `import_` in Python."""

    import_: ImportSettings = Field(default_factory=ImportSettings, alias="import")
    motion: MotionSettings = Field(default_factory=MotionSettings)
    ctf: CtfSettings = Field(default_factory=CtfSettings)
    picking: PickingSettings = Field(default_factory=PickingSettings)
    export: ExportSettings = Field(default_factory=ExportSettings)
    filter: FilterSettings = Field(default_factory=FilterSettings)
    alarms: AlarmSettings = Field(default_factory=AlarmSettings)
    session: SessionSettings = Field(default_factory=SessionSettings)

    def to_dict(self) -> dict[str, Any]:
        """Nested plain dict by section, `import` under its wire name."""
        return self.model_dump(by_alias=True, mode="json")

    def section(self, name: str) -> Section:
        """A section by its name on the wire."""
        section: Section = getattr(self, self.attribute(name))
        return section

    @staticmethod
    def attribute(section: str) -> str:
        """The attribute that holds the section of this name on the wire."""
        return "import_" if section == "import" else section

    @property
    def steps(self) -> dict[str, Section]:
        """The sections of the steps, in their order."""
        return {step.name: self.section(step.name) for step in CHAIN}

    def runs(self, step: str) -> bool:
        """Whether a step is switched on."""
        return CHAIN[step].is_on(self.section(step))

    def following(self, *steps: str) -> list[str]:
        """These steps and all that build on them, of those that are switched on, in order."""
        return [name for name in CHAIN.after(steps, self.steps) if self.runs(name)]


def _whole_settings() -> Any:
    """The class of all settings: shipped sections, those of installed steps, and the limits that columns declare."""
    limits: dict[str, Any] = {limit.name: _limit_field(limit, column) for column, limit in limits_of(CHAIN.columns)}
    filtering = create_model("FilterSettings", __base__=FilterSettings, __doc__=FilterSettings.__doc__, **limits)
    added: dict[str, Any] = {
        step.name: (step.section, Field(default_factory=step.section))
        for step in CHAIN
        if step.name not in _Settings.model_fields
    }
    added["filter"] = (filtering, Field(default_factory=filtering))
    return create_model("Settings", __base__=_Settings, __doc__=_Settings.__doc__, **added)


if TYPE_CHECKING:
    Settings = _Settings
else:
    Settings = _whole_settings()

SECTIONS: dict[str, type[Section]] = {
    field.alias or name: cast(type[Section], field.annotation) for name, field in Settings.model_fields.items()
}
"""The class of each section by its name on the wire."""


def described(name: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """All settings under their dotted names with what they declare.

    Only those of a section, or one setting, where named.
    """
    for section, model in SECTIONS.items():
        for field, info in model.model_fields.items():
            dotted = f"{section}.{field}"
            if name in ("", section, dotted):
                yield dotted, info


def parse_settings(raw: dict[str, Any]) -> Settings:
    """Settings from nested dicts (JSON types).

    Raises SettingsError naming each fault, its value and what is allowed.
    """
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError([_fault(detail) for detail in error.errors(include_url=False)[:MOST_FAULTS]]) from None


def patch_settings(settings: Settings, patch: dict[str, Any]) -> Settings:
    """Settings with the named ones changed (`{"ctf": {"range_max": 5}}`). Raises SettingsError."""
    merged = settings.to_dict()
    for section, values in patch.items():
        if isinstance(values, dict) and isinstance(merged.get(section), dict):
            merged[section] = {**merged[section], **values}
        else:
            merged[section] = values
    return parse_settings(merged)


def check_size(settings: Settings) -> None:
    """Raise SettingsError for settings that are too large to travel with each task and to be kept in a history."""
    size = len(json.dumps(settings.to_dict()))
    if size > LARGEST_BYTES:
        problem = f"together they take {size} bytes, and at most {LARGEST_BYTES} can be kept; shorten the longest"
        raise SettingsError([{"name": "settings", "value": None, "problem": problem}])


def differences(old: Settings, new: Settings) -> dict[str, list[Any]]:
    """`[old, new]` of each setting whose values differ, by dotted name, in model order."""
    before, after = old.to_dict(), new.to_dict()
    return {
        f"{section}.{name}": [before[section][name], value]
        for section, values in after.items()
        for name, value in values.items()
        if before[section][name] != value
    }


def changed_names(old: Settings, new: Settings) -> list[str]:
    """Dotted names whose values differ, in model order."""
    return list(differences(old, new))


def parse_assignment(text: str) -> dict[str, Any]:
    """`ctf.voltage=200` as a patch; the value is JSON, or text where it is no JSON. Raises SettingsError."""
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise SettingsError([{"name": text, "value": None, "problem": "write it as section.name=value"}])
    try:
        parsed: Any = json.loads(value)
    except (ValueError, RecursionError):  # also a number of thousands of digits, and lists in lists in lists
        parsed = value
    return {section: {key: parsed}}


def _told(error: dict[str, Any]) -> str:
    told = repr(error["value"])
    if len(told) > LONGEST_TOLD:
        told = f"{told[:LONGEST_TOLD]} …"
    value = "" if error["value"] is None else f" = {told}"
    return f"{one_line(error['name'], LONGEST_TOLD)}{value}: {error['problem']}"


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
    return list(SECTIONS if section is None else SECTIONS[section].model_fields)
