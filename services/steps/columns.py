"""How a measured value is declared: once, on the field of its step's result, for all lists, files and filters."""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Self, TypeVar, dataclass_transform

import msgspec

R = TypeVar("R")

TIME_OF_DAY = "UTC"
"""The unit of a time of day, whose value is seconds since 1970."""


@dataclass(frozen=True, slots=True)
class Star:
    """A column of a RELION STAR file: `table` is micrographs_ctf or corrected_micrographs.

    The value in the file is the measured one times `factor`, `most` where that is more; `missing` stands for what was
    not measured, None for a value without which a movie has no row in that table.
    """

    table: str
    label: str
    factor: float = 1.0
    missing: float | None = 0.0
    most: float = math.inf

    def value(self, measured: float | None) -> float | None:
        """What stands in the file; None where there can be no row."""
        return self.missing if measured is None else min(self.most, self.factor * float(measured))


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the filter, which becomes the setting `filter.NAME`: movies beyond it are filtered out."""

    name: str
    default: float | int | None
    upper: bool
    lowest: float | None = None
    highest: float | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A measured value of a movie.

    `step` and `field` say where it stands in the results, `heading` is its title in tables (with its unit added),
    `noun` its name in sentences, `json` its key in `processed_items.json`. `main` ones stand in the list of movies by
    default.
    `failed` is what the filter says where a limit is set and the step found nothing. `compute` makes a derived value
    from its step's results, by name; it is listed after the field `after`. `is_text`: its values are words;
    `is_number`: its field can hold nothing but numbers, so that whoever has checked the results has checked it.
    """

    step: str
    field: str
    heading: str
    description: str
    unit: str = ""
    digits: int = 0
    json: str = ""
    star: Star | None = None
    limits: tuple[Limit, ...] = ()
    noun: str = ""
    main: bool = False
    failed: str = ""
    compute: Callable[[Mapping[str, Any]], Any] | None = None
    after: str = ""
    is_text: bool = False
    is_number: bool = False

    @property
    def name(self) -> str:
        """Its name for sorting, filtering and choosing columns: `ctf.defocus_um`."""
        return f"{self.step}.{self.field}"

    @property
    def title(self) -> str:
        """Heading and unit, for tables."""
        return f"{self.heading} {self.unit}".strip()

    def value(self, results: Mapping[str, Any]) -> Any:
        """The value in a movie's results by step; None where it was not measured or is not finite."""
        measured = results.get(self.step) or {}
        value = self.compute(measured) if self.compute is not None else measured.get(self.field)
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def rounded(self, results: Mapping[str, Any]) -> Any:
        """The value with the column's digits, without minus zero."""
        value = self.value(results)
        return round(value, self.digits) + 0.0 if isinstance(value, float) else value

    def text(self, results: Mapping[str, Any], digits: int | None = None) -> str:
        """The value for people; `-` for what was not measured."""
        value = self.value(results)
        if self.unit == TIME_OF_DAY and isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC).isoformat(" ", "seconds").removesuffix("+00:00")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return "-" if value is None else str(value)
        return f"{value:.{self.digits if digits is None else digits}f}"


def column(
    heading: str,
    description: str,
    *,
    unit: str = "",
    digits: int = 0,
    json: str = "",
    star: Star | None = None,
    limits: tuple[Limit, ...] = (),
    noun: str = "",
    main: bool = False,
    failed: str = "",
    **default: Any,
) -> Any:
    """Declare the field of a result as a column. `default` is passed on to `dataclasses.field`."""
    shown = {"heading": heading, "description": description, "unit": unit, "digits": digits, "json": json}
    told = {**shown, "star": star, "limits": limits, "noun": noun or heading, "main": main, "failed": failed}
    return dataclasses.field(metadata={"column": told}, **default)


def columns_of(step: str, result: type, derived: tuple[Column, ...] = ()) -> tuple[Column, ...]:
    """The columns of a step: those that its result's fields declare, each followed by what is derived from it."""
    columns: list[Column] = []
    for field in dataclasses.fields(result):
        if "column" in field.metadata:
            words, numbers = _allows_text(field.type), _is_number(field.type)
            columns.append(Column(step, field.name, is_text=words, is_number=numbers, **field.metadata["column"]))
            mine = (one for one in derived if one.after == field.name)
            columns += [dataclasses.replace(one, step=step, noun=one.noun or one.heading) for one in mine]
    return tuple(columns)


def _allows_text(annotation: Any) -> bool:
    """Whether a field's annotation, which may still be source text, allows words."""
    return re.search(r"\b(str|Literal)\b", _source(annotation)) is not None


def _is_number(annotation: Any) -> bool:
    """Whether a field's annotation, which may still be source text, allows numbers alone."""
    return re.fullmatch(r"(int|float|bool|None)( \| (int|float|bool|None))*", _source(annotation)) is not None


def _source(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    return annotation.__name__ if isinstance(annotation, type) else repr(annotation)


@dataclass_transform(frozen_default=True, field_specifiers=(column, dataclasses.field))
def result(cls: type[R]) -> type[R]:
    """Class decorator: a step's result, a frozen dataclass whose fields may be columns."""
    return dataclasses.dataclass(frozen=True)(cls)


class Result:
    """Base of the steps' results: frozen dataclasses whose fields hold JSON types, None for what was not measured."""

    def to_dict(self) -> dict[str, Any]:
        """The plain values by name, as they are stored and sent."""
        names = (field.name for field in dataclasses.fields(self))  # type: ignore[arg-type]
        return {name: getattr(self, name) for name in names}

    @classmethod
    def unmeasured(cls, **known: Any) -> Self:
        """A result of which only `known` fields, and those with defaults, are known; all others are None."""
        fields = dataclasses.fields(cls)  # type: ignore[arg-type]
        missing = (one for one in fields if one.default is one.default_factory is dataclasses.MISSING)
        return cls(**{field.name: None for field in missing} | known)


def result_fault(result: type[Result], values: object) -> str:
    """Why reported values cannot be a step's result, "" where they can: a field is missing or of another type.

    Any value may be None, which stands for what was not measured.
    """
    form: type[msgspec.Struct] = _form_of(result)  # type: ignore[arg-type]
    try:
        msgspec.convert(values, form)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


@cache
def _form_of(result: type[Result]) -> type[msgspec.Struct]:
    """What a report of this result must look like. Raises NameError or TypeError for types that cannot be read."""
    types = typing.get_type_hints(result)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for one in dataclasses.fields(result):  # type: ignore[arg-type]
        required = one.default is one.default_factory is dataclasses.MISSING
        form = types[one.name] | None
        fields.append((one.name, form) if required else (one.name, form, None))
    return msgspec.defstruct(result.__name__, fields, kw_only=True)


def limits_of(columns: tuple[Column, ...]) -> Iterator[tuple[Column, Limit]]:
    """All limits of the filter with the columns that they hold for, in order."""
    for one in columns:
        for limit in one.limits:
            yield one, limit
