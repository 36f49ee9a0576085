"""A round that waits to be stored, and the answers that it then gives, each again when it is asked again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from warpcore.bus.envelope import Envelope, WireError, encode
from warpcore.bus.messages import Error
from warpcore.bus.replies import ReplyCache
from warpcore.bus.router import Router
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.scheduler.core.audit import Asking
from warpcore.services.scheduler.core.effects import Outward
from warpcore.services.scheduler.core.stimuli import Stimulus
from warpcore.services.scheduler.store.schema import StateError

log = logging.getLogger(__name__)

SOURCE = "scheduler"


@dataclass(slots=True)
class Asked:
    """A request and where it came from. `answer` is a message, or a function that makes one after the commit.

    `changes`: it is carried out once, and its answer is remembered. `asking` is set where what it changes goes into the
    audit log.
    """

    router: Router
    identity: bytes
    envelope: Envelope
    changes: bool = False
    asking: Asking | None = None
    answer: Message | Callable[[], Message] | None = None

    @property
    def user(self) -> str:
        """In whose name it is asked, as keys prove it: the holder of a key, or whom the API names; "" without keys."""
        return self.envelope.user

    @property
    def key(self) -> tuple[bytes, str]:
        """What a repeated request has in common with the first: its peer and its id."""
        return self.identity, self.envelope.id


@dataclass(slots=True)
class Round:
    """What waits for the commit. `seen` is what nobody else would tell again, `again` that it was asked for before."""

    seen: list[Stimulus] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    asked_before: set[tuple[bytes, str]] = field(default_factory=set)
    out: list[Outward] = field(default_factory=list)
    again: bool = False

    def ask(self, asked: Asked, answer: Message | Callable[[], Message]) -> None:
        """Have a request answered once the round is stored."""
        asked.answer = answer
        self.asked.append(asked)
        self.asked_before.add(asked.key)


class Answers:
    """Sends answers, and remembers those of requests that change something."""

    def __init__(self) -> None:
        self._replies = ReplyCache()

    def repeat(self, asked: Asked) -> bool:
        """Send the first answer again to a request that was answered; False for any other."""
        frame = self._replies.get(*asked.key)
        if frame is None:
            return False
        asked.router.send_frame(asked.identity, frame)
        return True

    def send(self, asked: Asked) -> None:
        """Answer a request, now that its round is stored."""
        message = _answer_of(asked)
        if message is not None:
            frame = _packed(asked, message)
            if asked.changes:
                self._replies.put(*asked.key, frame)
            asked.router.send_frame(asked.identity, frame)

    def refuse(self, asked: Asked, error: StateError) -> None:
        """Answer a request whose round could not be stored: it is not remembered, and may be asked again."""
        asked.router.send_frame(asked.identity, _packed(asked, at_fault(str(error))))


def at_fault(text: str) -> Error:
    """The answer to a request that could not be carried out, through no fault of its own."""
    return Error(ErrorCode.INTERNAL, text[:1000])


def _answer_of(asked: Asked) -> Message | None:
    try:
        return asked.answer() if callable(asked.answer) else asked.answer
    except StateError as error:
        log.error("%s", error)
        return at_fault(str(error))
    except Exception as error:
        log.exception("%s could not be answered", asked.envelope.type)
        return at_fault(f"{asked.envelope.type} could not be answered: {error}")


def _packed(asked: Asked, message: Message) -> bytes:
    """The frame of an answer; of one that is too large, that of an error that says so."""
    try:
        return encode(Envelope(message.TYPE, message.to_body(), SOURCE, reply_to=asked.envelope.id))
    except WireError as error:
        log.error("the answer to %s cannot be sent: %s", asked.envelope.type, error)
        refusal = at_fault(f"the answer cannot be sent: {error}")
        return encode(Envelope(refusal.TYPE, refusal.to_body(), SOURCE, reply_to=asked.envelope.id))
