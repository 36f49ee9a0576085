"""Answers to any request."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field

from warpcore.bus.limits import LONGEST_NAME
from warpcore.bus.schema import Message, message
from warpcore.bus.vocabulary import ErrorCode

Short = Annotated[str, Meta(max_length=LONGEST_NAME)]
"""Text that names something; a longer one is refused."""


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
