"""Query parameters: known names, checked values."""

from __future__ import annotations

from typing import TypeVar

import falcon.asgi

from warpcore.bus.limits import LONGEST_BY
from warpcore.bus.vocabulary import Word
from warpcore.services.api.errors import bad_parameter

W = TypeVar("W", bound=Word)

LARGEST_NUMBER = 10**9
"""Largest page, and largest number after which files or log lines are wanted."""


def only_parameters(req: falcon.asgi.Request, *known: str) -> None:
    """Raises Problem 400 for a parameter that is not one of `known`."""
    for name, value in req.params.items():
        if name not in known:
            raise bad_parameter(name, value, f"unknown parameter; known here: {', '.join(known)}")


def text(req: falcon.asgi.Request, name: str, default: str) -> str:
    """A parameter given at most once."""
    value = req.params.get(name, default)
    if isinstance(value, list):
        raise bad_parameter(name, ",".join(value), "given more than once")
    return value


def integer(req: falcon.asgi.Request, name: str, default: int, lowest: int, highest: int) -> int:
    """A whole number from `lowest` to `highest`. Raises Problem 400."""
    value = text(req, name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 20 and lowest <= int(value) <= highest):
        raise bad_parameter(name, value, f"give a whole number from {lowest} to {highest}")
    return int(value)


def asked_by(req: falcon.asgi.Request) -> str:
    """Who asks, as `by` says it; "" where it does not. Raises Problem 400."""
    value = text(req, "by", "")
    if len(value) > LONGEST_BY or not value.isprintable():
        raise bad_parameter("by", value, f"give a name of at most {LONGEST_BY} characters")
    return value


def parameter_word(vocabulary: type[W], name: str, value: str) -> W:
    """The word of the vocabulary. Raises Problem 400, which lists the words."""
    try:
        return vocabulary(value)
    except ValueError:
        raise bad_parameter(name, value, f"give one of {', '.join(vocabulary)}") from None
