"""Who answers which message: handlers register themselves, and say whether they only read.

The machine, the shell and the table of requests in `docs/wire.md` all follow from `HANDLERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from warpcore.bus.schema import Message, Port
from warpcore.bus.vocabulary import Word

F = TypeVar("F", bound=Callable[..., Any])


class Place(Word):
    """Where a message is handled."""

    MACHINE = "machine", "The pure machine decides."
    PREPARED = "prepared", "The shell checks files first, beside its loop; then the machine decides."
    STORED = "stored", "The shell answers from what is stored, once the round is committed."


@dataclass(frozen=True, slots=True)
class Handler:
    """What handles one type of message, and whether it only reads."""

    message: type[Message]
    place: Place
    reads: bool
    run: Callable[..., Any]

    @property
    def summary(self) -> str:
        """The first line of the handler's docstring."""
        return (self.run.__doc__ or "").strip().partition("\n")[0]


HANDLERS: dict[type[Message], Handler] = {}
"""All handlers by the type of the message. Importing `core/machine.py` and `shell/requests.py` fills it."""


def handles(message: type[Message], *, place: Place = Place.MACHINE, reads: bool = False) -> Callable[[F], F]:
    """Decorator: this function handles `message`. `reads`: it changes nothing; a repeated request is answered anew."""

    def register(function: F) -> F:
        if message in HANDLERS:
            raise ValueError(f"{message.TYPE} is handled twice: {HANDLERS[message].run} and {function}")
        HANDLERS[message] = Handler(message, place, reads, function)
        return function

    return register


def handler_of(message: Message, port: Port) -> Handler | None:
    """What handles this message where it came in, None where nothing does."""
    found = HANDLERS.get(type(message))
    return found if found is not None and message.PORT is port else None
