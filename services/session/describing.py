"""Settings and columns in words, made from their declarations: for `settings explain`, `settings get` and the docs."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any

from pydantic.fields import FieldInfo

from warpcore.services.session.settings import described
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.fields import Reach, default_of, reach_of, told
from warpcore.services.steps.step import INPUT, Step


@dataclass(frozen=True, slots=True)
class Described:
    """A setting in words. `allowed` is its range or its choices, "" where nothing limits it."""

    name: str
    description: str
    unit: str
    default: Any
    allowed: str
    touches: str

    @property
    def default_text(self) -> str:
        """The default as JSON."""
        return json.dumps(self.default, ensure_ascii=False)


def descriptions(name: str = "") -> Iterator[Described]:
    """All settings, those of a section, or one, in words."""
    for dotted, field in described(name):
        yield Described(
            dotted,
            field.description or "",
            told(field, "unit") or "",
            default_of(field),
            _allowed(field),
            _touches(dotted, field),
        )


def _allowed(field: FieldInfo) -> str:
    choices = _choices(field.annotation)
    if choices:
        return " or ".join(json.dumps(choice) for choice in choices)
    limits = {name: getattr(one, name) for one in field.metadata for name in _LIMITS if hasattr(one, name)}
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    above = "above " if "gt" in limits else ""
    if low is not None and high is not None:
        text = f"{above}{low:g} to {high:g}"
    elif low is not None:
        text = f"{above or 'from '}{low:g}{'' if above else ' on'}"
    else:
        text = "" if high is None else f"up to {high:g}"
    step = limits.get("multiple_of")
    return f"{text}, a multiple of {step:g}".removeprefix(", ") if step is not None else text


_LIMITS = ("ge", "gt", "le", "lt", "multiple_of")


def _choices(hint: Any) -> tuple[Any, ...]:
    """The values of a Literal, also within a list or beside None."""
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    if typing.get_origin(hint) in (list, UnionType, typing.Union):
        return tuple(choice for part in typing.get_args(hint) for choice in _choices(part))
    return ()


_CHOSEN = {
    "alarms": "which alarms come; ",
    "filter": "which movies pass; ",
    "import": "which files are movies, or their groups; ",
    "session": "when it pauses; ",
}


def _touches(dotted: str, field: FieldInfo) -> str:
    section, _, _ = dotted.partition(".")
    reach = reach_of(field)
    if reach is Reach.NOTHING:
        return f"{_CHOSEN.get(section, '')}nothing runs"
    if section == "import":
        return "everything"
    step = CHAIN[section]
    after = _after(step)
    if reach is Reach.CHEAP:
        return "; ".join([f"{step.name}, from what it has kept", *after])
    return "; ".join([step.name, *after])


def _after(step: Step) -> Iterator[str]:
    """The steps that build on this one; those that do so only under some settings with the condition."""
    always = {step.name}
    for one in CHAIN:
        if always & set(one.parents):
            always.add(one.name)
            yield one.name
        elif one.cheap is not None and always & set(one.cheap.parents):
            yield f"{one.name} {one.cheap.when}".rstrip()


def columns_in_words() -> Iterator[tuple[str, str, str, str, str]]:
    """Name, unit, key in JSON, label in STAR files and description of each column."""
    for column in CHAIN.columns:
        label = "" if column.star is None else column.star.label
        yield column.name, column.unit, column.json, label, column.description


def steps_in_words() -> Iterator[tuple[str, str, str, str]]:
    """Name, parents, version and description of each step."""
    for step in CHAIN:
        parents = ", ".join("the raw movie" if parent == INPUT else parent for parent in step.parents)
        if step.cheap is not None and step.cheap.parents:
            parents += f"; {', '.join(step.cheap.parents)} {step.cheap.when}".rstrip()
        version = str(step.version)
        if step.cheap is not None and step.cheap.version:
            version += f", cheap half {step.cheap.version}"
        yield step.name, parents, version, step.description
