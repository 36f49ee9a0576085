"""Options of a simulation from `name=value` texts."""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from warpcore.cli.errors import CliError
from warpcore.cli.simulation import SimulationOptions


def simulation_options(assignments: Iterable[str], base: SimulationOptions | None = None) -> SimulationOptions:
    """`base` (the defaults) with the named options changed. Raises CliError, or ValueError for a value out of range."""
    hints = typing.get_type_hints(SimulationOptions)
    changes: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or name not in hints:
            raise CliError(f"{text}: write it as name=value; known names: {', '.join(hints)}")
        changes[name] = _converted(name, value, hints[name])
    return dataclasses.replace(base or SimulationOptions(), **changes)


def _converted(name: str, text: str, hint: Any) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in (int, float, bool) and type(value) is hint:
        return value
    if hint == Path | None:
        return None if value is None else Path(str(value))
    if typing.get_origin(hint) is typing.Literal and value in typing.get_args(hint):
        return value
    if typing.get_origin(hint) is tuple and isinstance(value, list) and len(value) == len(typing.get_args(hint)):
        return tuple(float(one) for one in value)
    if typing.get_origin(hint) is tuple and isinstance(value, int | float):
        return (float(value), float(value))
    raise CliError(f"{name} = {text}: {_needed(hint)} is needed")


def _needed(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return " or ".join(map(str, typing.get_args(hint)))
    if typing.get_origin(hint) is tuple:
        return "a range such as [1, 2]"
    return {int: "a whole number", float: "a number", bool: "true or false"}.get(hint, "another value")
