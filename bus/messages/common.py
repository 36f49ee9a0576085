"""Answers to any request."""

from __future__ import annotations

from typing import Any

from msgspec import field

from warpcore.bus.schema import Message, message
from warpcore.bus.vocabulary import ErrorCode


@message("ok")
class Ok(Message, frozen=True):
    """Done; there is nothing more to say."""


@message("error")
class Error(Message, frozen=True):
    """The request was refused. `detail` is one clear line for people.

    `errors` lists the single faults of an `invalid` (for settings: name, value, problem).
    """

    code: ErrorCode
    detail: str
    errors: list[dict[str, Any]] = field(default_factory=list)
