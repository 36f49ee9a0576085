"""Names and times of REST, and the base of its views."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import lru_cache
from types import SimpleNamespace
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta, Struct

Seq = Annotated[int, Meta(description="Number of the session's last change.", ge=0)]
Count = Annotated[int, Meta(ge=0)]
Time = Annotated[datetime, Meta(tz=True)] | None
"""ISO 8601 in UTC; null: never."""


class View(Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of the answers of REST."""

    @classmethod
    def of(cls, message: Struct, **more: Any) -> Self:
        """The view of a message, or of a part of one: what it has under the same names, and `more`."""
        values = SimpleNamespace(**(msgspec.structs.asdict(message) | more))
        return msgspec.convert(values, cls, from_attributes=True)


@lru_cache(4096)
def camel(name: str) -> str:
    """`last_modified` → `lastModified`."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def camel_keys(value: Any) -> Any:
    """JSON data with all its names in camelCase, but those of settings, which are the same everywhere.

    NaN and infinity, which JSON does not have, become null.
    """
    if isinstance(value, dict):
        return {name if "." in str(name) else camel(str(name)): camel_keys(one) for name, one in value.items()}
    if isinstance(value, list):
        return [camel_keys(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def utc(seconds: float) -> datetime | None:
    """The time of these seconds since the epoch. 0 stands for never."""
    return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
