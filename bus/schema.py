"""Turns frozen dataclasses into wire messages: bodies checked on arrival, explicit dicts on departure."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any, ClassVar, Self, TypeVar, get_args, get_origin, get_type_hints

from warpcore.bus.envelope import WireError

Converter = Callable[[Any, str], Any]
M = TypeVar("M", bound="Message")

REGISTRY: dict[str, type[Message]] = {}


class Message:
    """Base of every wire type. Subclasses are frozen dataclasses registered with `@message("name")`."""

    TYPE: ClassVar[str] = ""
    _readers: ClassVar[dict[str, tuple[Converter, bool]]]
    _nested: ClassVar[frozenset[str]]

    def to_body(self) -> dict[str, Any]:
        """The body map that goes on the wire."""
        nested = self._nested
        return {name: _plain(getattr(self, name)) if name in nested else getattr(self, name) for name in self._readers}

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """Check and read a body. Unknown fields are ignored. Raises WireError naming the field at fault."""
        values = {}
        for name, (read, required) in cls._readers.items():
            if name in body:
                values[name] = read(body[name], f"{cls.TYPE}.{name}")
            elif required:
                raise WireError(f"{cls.TYPE}: field {name!r} is missing")
        return cls(**values)


def message(name: str) -> Callable[[type[M]], type[M]]:
    """Class decorator: register a frozen dataclass as the wire type `name`."""

    def register(cls: type[M]) -> type[M]:
        _prepare(cls, name)
        REGISTRY[name] = cls
        return cls

    return register


def part(cls: type[M]) -> type[M]:
    """Class decorator: a frozen dataclass that stands inside messages, not on the wire by itself."""
    _prepare(cls, cls.__name__)
    return cls


def read_message(type_name: str, body: dict[str, Any]) -> Message:
    """The typed message of an envelope. Raises WireError for an unknown type or a bad body."""
    cls = REGISTRY.get(type_name)
    if cls is None:
        raise WireError(f"unknown message type {type_name!r}")
    return cls.from_body(body)


def _prepare(cls: type[Message], name: str) -> None:
    hints = get_type_hints(cls)
    cls.TYPE = name
    readers: dict[str, tuple[Converter, bool]] = {}
    nested = set()
    for spec in dataclasses.fields(cls):  # type: ignore[arg-type]
        required = spec.default is dataclasses.MISSING and spec.default_factory is dataclasses.MISSING
        readers[spec.name] = (_reader(hints[spec.name]), required)
        if _holds_message(hints[spec.name]):
            nested.add(spec.name)
    cls._readers = readers
    cls._nested = frozenset(nested)


def _holds_message(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, Message):
        return True
    return any(_holds_message(argument) for argument in get_args(hint))


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return value.to_body()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _reader(hint: Any) -> Converter:
    """The function that checks one value against a type hint: scalars, optionals, lists, dicts, nested parts."""
    if hint is Any:
        return lambda value, where: value
    origin = get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        choices = [argument for argument in get_args(hint) if argument is not type(None)]
        if len(choices) != 1:
            raise TypeError(f"only X | None is supported on the wire, not {hint}")
        inner = _reader(choices[0])
        return lambda value, where: None if value is None else inner(value, where)
    if origin is list:
        item = _reader(get_args(hint)[0])
        return lambda value, where: [item(one, where) for one in _typed(value, list, where)]
    if origin is dict:
        _, value_hint = get_args(hint)
        inner = _reader(value_hint)
        return lambda value, where: {
            _typed(key, str, where): inner(one, where) for key, one in _typed(value, dict, where).items()
        }
    if isinstance(hint, type) and issubclass(hint, Message):
        return lambda value, where: hint.from_body(_typed(value, dict, where))
    if hint is float:
        return _read_float
    if hint in (int, str, bool, bytes):
        return lambda value, where: _typed(value, hint, where)
    raise TypeError(f"{hint} cannot travel on the wire")


def _typed(value: Any, kind: type, where: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise WireError(f"{where}: expected {kind.__name__}, got {type(value).__name__}")
    return value


def _read_float(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise WireError(f"{where}: expected float, got {type(value).__name__}")
    return float(value)
