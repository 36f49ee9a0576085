"""How a setting is declared: once, on the field of its section, with description, unit, default, range and reach."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo


class Reach(StrEnum):
    """What a changed setting touches."""

    STEP = "step"
    """The whole step."""
    CHEAP = "cheap"
    """Only the step's cheap half, which is made anew from what the costly half has left on disk."""
    BOTH = "both"
    """Both halves."""
    NOTHING = "nothing"
    """No result: which files are movies, or which movies the filter takes."""


Identity = Literal["time", "content"]
"""How a file that a setting names is told from another one: by its size and mtime, or by what it holds."""


class Section(BaseModel):
    """Base of the sections: unknown names are refused, values never coerced from text, never NaN or infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True)


def setting(
    default: Any,
    description: str,
    *,
    unit: str = "",
    reach: Reach = Reach.STEP,
    file: Identity | None = None,
    is_path: bool = False,
    used: str = "",
    assumed: float | None = None,
    unset: str = "",
    **limits: Any,
) -> Any:
    """A setting. `file`: its value is the path of a file, whose identity counts too; `limits` are pydantic's.

    `is_path`: it is the path of a file whose identity does not count.

    `used` (`method=auto|template`) says with which values of another setting of the section a file is read at all.
    `assumed` is the value of a setting that is null where neither the movie nor its metadata tells one. `unset` is what
    forms write where it is null, in two or three words; "" for none.
    """
    extra: dict[str, Any] = {"unit": unit, "reach": reach, "file": file, "is_path": is_path, "used": used}
    extra |= {"assumed": assumed, "unset": unset}
    if isinstance(default, (list, dict)):
        extra["default"] = default  # the schema of a factory's field would not tell it
        return Field(default_factory=lambda: type(default)(default), description=description, **_kept(extra), **limits)
    return Field(default=default, description=description, **_kept(extra), **limits)


def _kept(extra: dict[str, Any]) -> dict[str, Any]:
    return {"json_schema_extra": {name: value for name, value in extra.items() if value or name == "default"}}


def told(field: FieldInfo, name: str) -> Any:
    """What a setting declares under a name of `setting`'s, such as `unit`; None where it declares nothing."""
    extra = field.json_schema_extra
    return extra.get(name) if isinstance(extra, dict) else None


def reach_of(field: FieldInfo) -> Reach:
    """What a changed value of this setting touches."""
    return Reach(told(field, "reach") or Reach.STEP)


def default_of(field: FieldInfo) -> Any:
    """A setting's default value."""
    return field.get_default(call_default_factory=True)


@cache
def assumed_values(section: type[Section]) -> Mapping[str, float]:
    """What is assumed where neither a setting nor a movie tells it, by name."""
    assumed = {name: told(field, "assumed") for name, field in section.model_fields.items()}
    return {name: value for name, value in assumed.items() if value is not None}


def known(section: Section, name: str) -> float:
    """The value of a setting that a movie may tell, and what is assumed where it is null."""
    value: float | None = getattr(section, name)
    return assumed_values(type(section))[name] if value is None else value


def changed_values(section: Section) -> dict[str, Any]:
    """The settings of a section that differ from their defaults, as JSON types, by name.

    What is assumed without a word from anybody counts as a default: it was one before movies could tell.
    """
    values, defaults = section.model_dump(mode="json"), type(section)().model_dump(mode="json")
    assumed = assumed_values(type(section))
    return {
        name: value
        for name, value in values.items()
        if value != defaults[name] and not (name in assumed and value == assumed[name])
    }
