"""How a request says which movie it means: by its name, or so that no name is hidden by another word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

M = TypeVar("M")

_NUMBER = re.compile(r"~([1-9][0-9]{0,17})")


def addressed(address: str, by_name: Mapping[str, M], by_number: Mapping[int, M]) -> M | None:
    """The movie of this name; else `~12` is the movie of that number, and `~/NAME` the one called NAME.

    So a movie is reached whose name means something else in a path, such as `summary`.
    """
    if address in by_name:
        return by_name[address]
    if number := _NUMBER.fullmatch(address):
        return by_number.get(int(number[1]))
    return by_name.get(address.removeprefix("~/"))
