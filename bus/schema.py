"""What every wire type has: a body checked when it arrives, a plain map when it leaves, its port and its answers."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable
from enum import Enum, StrEnum
from typing import Any, ClassVar, Self, TypeVar

import msgspec

from warpcore.bus.envelope import WireError

M = TypeVar("M", bound="Message")

REGISTRY: dict[str, type[Message]] = {}
"""Every wire type by its name."""

_LONGEST_WORD = 80


class Port(StrEnum):
    """The two ports on which the scheduler takes messages."""

    CONTROL = "control"
    WORKER = "worker"


class Message(msgspec.Struct, frozen=True):
    """Base of every wire type and of the parts inside them. Subclasses are frozen, under `message` or `part`.

    Nothing is checked when one is made here; `from_body` checks what others have sent.
    """

    TYPE: ClassVar[str] = ""
    """The name on the wire."""
    ANSWERS: ClassVar[tuple[type[Message], ...]] = ()
    """The types that answer a request, besides `error`. A message without any is one-way."""
    PORT: ClassVar[Port | None] = None
    """Where the scheduler takes it; None for answers and for what the scheduler itself sends."""
    NESTED: ClassVar[tuple[str, ...]] = ()
    """Fields that hold other messages."""

    def to_body(self) -> dict[str, Any]:
        """The body map that goes on the wire."""
        body = msgspec.structs.asdict(self)
        for name in self.NESTED:
            body[name] = _plain(body[name])
        return body

    @classmethod
    def from_body(cls, body: dict[str, Any]) -> Self:
        """Check and read a body. Unknown fields are ignored. Raises WireError, which names the field at fault."""
        try:
            return msgspec.convert(body, cls)
        except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
            raise WireError(_explained(cls, str(error))) from None


def message(
    name: str, *, port: Port | None = None, answers: tuple[type[Message], ...] = ()
) -> Callable[[type[M]], type[M]]:
    """Class decorator: the wire type `name`, which the scheduler takes at `port` and answers with one of `answers`."""

    def register(cls: type[M]) -> type[M]:
        _prepare(cls, name)
        cls.PORT, cls.ANSWERS = port, answers
        REGISTRY[name] = cls
        return cls

    return register


def part(cls: type[M]) -> type[M]:
    """Class decorator: a type that stands inside messages or events, not on the wire by itself."""
    _prepare(cls, cls.__name__)
    return cls


def read_message(type_name: str, body: dict[str, Any]) -> Message:
    """The typed message of an envelope. Raises WireError for an unknown type or a bad body."""
    cls = REGISTRY.get(type_name)
    if cls is None:
        raise WireError(f"unknown message type {type_name[:_LONGEST_WORD]!r}")
    return cls.from_body(body)


def prepare_for_threads(kind: type[msgspec.Struct]) -> None:
    """Let msgspec gather now, in one thread, what it needs to read a struct type and its subclasses.

    It does so at a type's first use, and shows other threads what it has so far: where a second thread reads the type
    meanwhile, it follows a null pointer and the process ends by a segmentation fault (seen with msgspec 0.19 to 0.22).
    """
    msgspec.json.Decoder(kind)
    for subclass in kind.__subclasses__():
        prepare_for_threads(subclass)


def _prepare(cls: type[Message], name: str) -> None:
    hints = typing.get_type_hints(cls)
    prepare_for_threads(cls)
    cls.TYPE = name
    cls.NESTED = tuple(field for field in cls.__struct_fields__ if _holds_message(hints[field]))


def _holds_message(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, Message):
        return True
    return any(_holds_message(argument) for argument in typing.get_args(hint))


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return value.to_body()
    if isinstance(value, list):
        return [item.to_body() for item in value]
    return value


# --- what was wrong, in words; only for bodies that were refused ----------------------------------------------------


def _explained(cls: type[Message], text: str) -> str:
    """msgspec's text with the message's type in front, and with the words that an enum allows."""
    problem, _, place = text.rpartition(" - at `") if " - at `" in text else (text, "", "$`")
    path = place.rstrip("`").removeprefix("$")
    where = f"{cls.TYPE}{path}"
    if problem.startswith("Invalid enum value"):
        word = problem.removeprefix("Invalid enum value ")[:_LONGEST_WORD]
        allowed = ", ".join(str(one.value) for one in _enum_at(cls, path) or ())
        return f"{where}: {word} is none of {allowed}"
    missing = re.fullmatch(r"Object missing required field `(\w+)`", problem)
    if missing:
        return f"{where}: field {missing.group(1)!r} is missing"
    return f"{where}: {problem[:1].lower()}{problem[1:]}".replace("`", "")


def _enum_at(cls: type[Message], path: str) -> type[Enum] | None:
    """The enum that the field at msgspec's `path` ($ removed, as in `.movies[0].failure.kind`) has as its type."""
    hint: Any = cls
    for name in re.findall(r"\.(\w+)|\[[^]]*\]", path):
        if name:
            hint = typing.get_type_hints(hint).get(name)
        else:
            hint = typing.get_args(hint)[-1] if typing.get_args(hint) else None
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            hint = next((one for one in typing.get_args(hint) if one is not type(None)), None)
    return hint if isinstance(hint, type) and issubclass(hint, Enum) else None
