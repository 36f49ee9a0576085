"""The way of a request: ask, time out, ask again under the same id, match the answer. No sockets, no clock.

Everyone who asks uses it: the waiting client, the API's client, the follower, the discoverer's asker and the nanny.
They send what it says is due, and give it the time and the answers.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from warpcore.bus.envelope import Envelope, WireError, new_id
from warpcore.bus.messages import Error, PatchSettings, PreviewSettings, PutSettings, StartTry
from warpcore.bus.schema import Message, read_message
from warpcore.bus.vocabulary import ErrorCode

Jitter = Callable[[], float]
"""A random number from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer is waited for, and how often it is asked for.

    After each attempt that is not the last comes a pause. It doubles with each attempt, from `first_pause_s` up to
    `longest_pause_s`, and is cut by up to a half at random, so that many clients do not return at once.
    """

    timeout_s: float
    attempts: int | None = None
    """None: until it is answered."""
    first_pause_s: float = 0.1
    longest_pause_s: float = 2.0

    @property
    def total_s(self) -> float:
        """How long all attempts wait for, without the pauses."""
        return math.inf if self.attempts is None else self.timeout_s * self.attempts

    def pause_s(self, attempt: int, jitter: float) -> float:
        """The pause after this attempt (counted from 1)."""
        pause = min(self.first_pause_s * 2.0 ** min(attempt - 1, 30), self.longest_pause_s)
        return (0.5 + 0.5 * jitter) * pause


LONG = Patience(timeout_s=15.0, attempts=4)
"""Each attempt is longer than the scheduler waits for files that give no answer; all are for a busy host."""
_LONG_FOR = (PreviewSettings, PatchSettings, PutSettings, StartTry)


def patience_for(message: Message, usual: Patience) -> Patience:
    """How long the answer to this is waited for: the scheduler looks at files of settings, and judges every movie."""
    return LONG if isinstance(message, _LONG_FOR) and usual.total_s < LONG.total_s else usual


class Step(Enum):
    """What to do about a question now."""

    WAIT = auto()
    SEND = auto()
    GIVE_UP = auto()


@dataclass(slots=True)
class Question:
    """One request that has no answer yet. It is sent under the same `id` each time."""

    message: Message
    patience: Patience
    due_at: float
    """When the next step is due."""
    jitter: Jitter = random.random
    id: str = field(default_factory=new_id)
    attempts: int = 0

    def step(self, now: float) -> Step:
        """What to do now; a SEND counts as done."""
        if now < self.due_at:
            return Step.WAIT
        if self.attempts == self.patience.attempts:
            return Step.GIVE_UP
        self.attempts += 1
        self.due_at = now + self.patience.timeout_s
        if self.attempts != self.patience.attempts:
            self.due_at += self.patience.pause_s(self.attempts, self.jitter())
        return Step.SEND


class Requester:
    """The questions of one asker, by id. Answers to anything else are nobody's: late, or never asked for."""

    def __init__(self, jitter: Jitter = random.random) -> None:
        self._jitter = jitter
        self._questions: dict[str, Question] = {}

    @property
    def questions(self) -> list[Question]:
        """What has no answer yet, oldest first."""
        return list(self._questions.values())

    def ask(self, message: Message, patience: Patience, at: float) -> Question:
        """A new question, to be sent first at the time `at`."""
        question = Question(message, patience, at, self._jitter)
        self._questions[question.id] = question
        return question

    def due(self, now: float) -> list[Question]:
        """The questions that must be sent now. Those whose attempts are used up are forgotten."""
        sending = []
        for question in self.questions:
            step = question.step(now)
            if step is Step.SEND:
                sending.append(question)
            elif step is Step.GIVE_UP:
                self.forget(question.id)
        return sending

    def answered(self, reply_to: str | None) -> Question | None:
        """The question that an answer belongs to, which is closed by it."""
        return self._questions.pop(reply_to, None) if reply_to is not None else None

    def forget(self, question_id: str) -> None:
        """Nobody waits for this answer any more."""
        self._questions.pop(question_id, None)


def read_answer(answer: Envelope, endpoint: str, note: Callable[[object], None] | None = None) -> Message:
    """The typed answer. One that cannot be read is noted and becomes an error `bad_message`: nobody waits on for it."""
    try:
        return read_message(answer.type, answer.body)
    except WireError as error:
        if note is not None:
            note(error)
        detail = f"the answer of {endpoint} cannot be read ({error}); same version there?"
        return Error(ErrorCode.BAD_MESSAGE, detail)
