"""Query parameters: known names, checked values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import falcon.asgi

from warpcore.bus.vocabulary import Word
from warpcore.services.api.errors import bad_parameter
from warpcore.services.api.mirror.catalogue import COLUMNS, MovieColumn

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


def parameter_word(vocabulary: type[W], name: str, value: str) -> W:
    """The word of the vocabulary. Raises Problem 400, which lists the words."""
    try:
        return vocabulary(value)
    except ValueError:
        raise bad_parameter(name, value, f"give one of {', '.join(vocabulary)}") from None


def columns_named(req: falcon.asgi.Request, parameter: str) -> Sequence[MovieColumn]:
    """The columns that a parameter names, separated by commas, each once. Raises Problem 400."""
    names = [name.strip() for name in text(req, parameter, "").split(",") if name.strip()]
    for name in names:
        if name not in COLUMNS:
            raise bad_parameter(parameter, name, f"use columns of {', '.join(COLUMNS)}")
    return [COLUMNS[name] for name in dict.fromkeys(names)]
