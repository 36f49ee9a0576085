"""Values of a request against the types that a resource declares for them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from functools import reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Struct

S = TypeVar("S", bound=Struct)

MOST_FAULTS = 100
"""Values at fault after which no other one is looked at."""

_LARGEST_EXACT = 2**53


class FaultsError(ValueError):
    """Values that do not fit; `faults` has one `{name, value, problem}` for each."""

    def __init__(self, faults: list[dict[str, Any]]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{fault['name']}: {fault['problem']}" for fault in faults))


def checked(kind: type[S], values: Mapping[str, Any], *, strict: bool = True) -> S:
    """The struct of these values by the names that clients use. Not `strict`: all are texts, as in a query.

    Raises FaultsError, which names every value at fault, also those that are missing or unknown.
    """
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    kinds = {name: field.type if strict else without_null(field.type) for name, field in fields.items()}
    good: dict[str, Any] = {}
    faults: list[dict[str, Any]] = []
    for name, value in values.items():
        if len(faults) >= MOST_FAULTS:
            break
        if name not in fields:
            known = f"known here: {', '.join(fields)}" if fields else "there are none here"
            faults.append(_fault(name, value, f"unknown; {known}"))
            continue
        try:
            good[fields[name].name] = _converted(value, kinds[name], strict)
        except ValueError:
            faults.append(_fault(name, value, f"give {in_words(kinds[name])}"))
    for name, field in fields.items():
        if field.required and name not in values:
            faults.append(_fault(name, None, f"is missing; give {in_words(kinds[name])}"))
    if faults:
        raise FaultsError(faults)
    return kind(**good)


def without_null(kind: Any) -> Any:
    """A type without None, as in a query, where no text says it."""
    if get_origin(kind) is Annotated:
        return Annotated[(without_null(kind.__origin__), *kind.__metadata__)]
    if get_origin(kind) in (Union, UnionType):
        return reduce(or_, (one for one in get_args(kind) if one is not type(None)))
    return kind


def _converted(value: Any, kind: Any, strict: bool) -> Any:
    """The value as its type. 2.0 is a whole number, as in JSON Schema. Raises ValueError, also for NaN and infinity."""
    plain = kind.__origin__ if get_origin(kind) is Annotated else kind
    # Where it is lax, msgspec takes a number for a time too.
    found = msgspec.convert(_whole(value), kind, strict=strict or plain is datetime)
    if isinstance(found, float) and not math.isfinite(found):
        raise ValueError(f"{found} is no finite number")
    return found


def _whole(value: Any) -> Any:
    """JSON data with its numbers such as 2.0 as whole ones, wherever they stand; larger than 2^53 none is exact."""
    if isinstance(value, list):
        return [_whole(one) for one in value]
    if isinstance(value, dict):
        return {name: _whole(one) for name, one in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_EXACT else value


def in_words(kind: Any) -> str:
    """What a value of a type may be: `a whole number from 1 to 1000`."""
    (schema,), parts = msgspec.json.schema_components([kind], ref_template="{name}")
    return schema_in_words(schema, parts)


def schema_in_words(schema: Mapping[str, Any], parts: Mapping[str, Any]) -> str:
    """What a value may be by its JSON Schema; `parts` are the schemas that it refers to, by the last word of `$ref`.

    One that it refers to outside of these, such as that of all settings, is an object.
    """
    if "$ref" in schema:
        return schema_in_words(parts.get(schema["$ref"].rpartition("/")[2], {"type": "object"}), parts)
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(schema_in_words(one, parts) for one in schema["anyOf"]))
    kind = schema.get("type", "")
    if "prefixItems" in schema:
        return f"[{', '.join(schema_in_words(one, parts) for one in schema['prefixItems'])}]"
    if kind == "array":
        each = schema_in_words(schema["items"], parts) if schema.get("items") else "any value"
        fewest, most = schema.get("minItems", 0), schema.get("maxItems")
        count = "" if most is None else f" of {most}" if most == fewest else f" of at most {most}"
        return f"a list{count}, each {each}"
    return _WORDS.get(kind, "any value") + _bounds(schema)


_WORDS = {
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a text",
}


def _bounds(schema: Mapping[str, Any]) -> str:
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if lowest is not None and highest is not None:
        return f" from {lowest} to {highest}"
    if lowest is not None:
        return f" of at least {lowest}"
    if highest is not None:
        return f" of at most {highest}"
    if "maxLength" in schema:
        return f" of {schema.get('minLength', 0)} to {schema['maxLength']} characters"
    return " as a date and time" if schema.get("format") == "date-time" else ""


def _fault(name: str, value: Any, problem: str) -> dict[str, Any]:
    return {"name": name, "value": value, "problem": problem}
