"""Request and answer for callers that wait: the command line, the tracker, tests."""

from __future__ import annotations

import math
import time
from contextlib import suppress

import zmq

from warpcore.bus.connecting import LOOK_EVERY_S, Connection
from warpcore.bus.dealer import read_single
from warpcore.bus.envelope import Envelope, WireError, WireVersionError, encode, new_id
from warpcore.bus.keys import ClientKey
from warpcore.bus.messages import Error
from warpcore.bus.requester import Patience, Question, Requester, Step, patience_for, read_answer
from warpcore.bus.schema import Message
from warpcore.bus.sockets import Dropped, open_socket

MOST_REFUSALS = 2
"""Refused so often in a row, a client gives up: once may mean that its key was added a moment ago."""


class NoAnswerError(TimeoutError):
    """Nobody answered in time; the text names the endpoint and what to check."""


class RefusedError(RuntimeError):
    """The answer was an error; `error` is it."""

    def __init__(self, error: Error) -> None:
        self.error = error
        super().__init__(error.detail)


class RequestClient:
    """Sends one request at a time and waits for its answer. For use by one thread.

    A request is sent up to `attempts` times under the same id, so it is carried out at most once. Each attempt waits
    `timeout_s`, and a short pause where another follows; one about settings waits for a minute, unless there is no
    connection for as long as others wait. One that was given up is not delivered later either: its socket is closed.
    """

    def __init__(
        self, endpoint: str, source: str, timeout_s: float = 5.0, attempts: int = 3, key: ClientKey | None = None
    ) -> None:
        self.endpoint = endpoint
        self.source = source
        self.timeout_s = timeout_s
        self.attempts = attempts
        self.answered_ts: float | None = None
        """When the last answer was sent, by the clock of the host that sent it (seconds since the epoch)."""
        self._key = key
        self._requester = Requester()
        self._unreadable = Dropped(f"answers of {endpoint}")
        self._socket: zmq.Socket[bytes] | None = None
        self._connection: Connection | None = None
        self._problem = ""
        self._connected_by = 0.0

    @property
    def malformed(self) -> int:
        """Messages dropped because they could not be read."""
        return self._unreadable.count

    def request(self, message: Message, timeout_s: float | None = None) -> Message:
        """The answer to `message`; `timeout_s` is for each attempt.

        Raises NoAnswerError, RefusedError if the answer is an error, WireError if the request is over the limit.
        """
        usual = Patience(self.timeout_s if timeout_s is None else timeout_s, self.attempts)
        patience = patience_for(message, usual)
        begun = time.monotonic()
        self._connected_by = math.inf if patience is usual else begun + usual.total_s
        question = self._requester.ask(message, patience, begun)
        answer = None
        try:
            answer = self._answer(question)
        finally:
            if answer is None:
                self.close()
        if answer is None:
            raise NoAnswerError(f"no answer from {self.endpoint} to {message.TYPE}{self._why(question, begun)}")
        self.answered_ts = answer.ts
        return self._opened(answer)

    def close(self) -> None:
        """Disconnect and drop what was not sent; a later request connects again."""
        for question in self._requester.questions:
            self._requester.forget(question.id)
        if self._connection is not None:
            self._connection.close()
            self._socket = self._connection = None

    def __enter__(self) -> RequestClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, question: Question) -> Envelope | None:
        """The answer's envelope, or None when all attempts are used up."""
        while (step := question.step(time.monotonic())) is not Step.GIVE_UP:
            if step is Step.SEND:
                self._send(question)
            answer = self._next_answer(question)
            if answer is not None:
                return answer
            if self._is_hopeless():
                return None
        return None

    def _is_hopeless(self) -> bool:
        """Whether nobody is there, or refuses us, so that asking again is of no use."""
        if self._connection is None:
            return False
        if self._connection.refusals >= MOST_REFUSALS:
            return True
        return not self._connection.has_connected and time.monotonic() > self._connected_by

    def _send(self, question: Question) -> None:
        message = question.message
        frame = encode(Envelope(message.TYPE, message.to_body(), self.source, id=question.id))
        if self._socket is None:
            self._socket = open_socket(zmq.DEALER)
            self._socket.setsockopt(zmq.IDENTITY, f"{self.source}-{new_id()}".encode()[-64:])
            self._connection = Connection(self._socket, self.endpoint, self._key, tell=False)
        with suppress(zmq.Again):  # a connection that was refused takes nothing
            self._socket.send(frame, zmq.NOBLOCK)

    def _next_answer(self, question: Question) -> Envelope | None:
        """The first envelope that answers an open question, or None when its next step is due.

        Raises NoAnswerError where the answer is of another wire version.
        """
        assert self._socket is not None
        assert self._connection is not None
        while True:
            left_s = question.due_at - time.monotonic()
            came = self._socket.poll(max(0, round(min(left_s, LOOK_EVERY_S) * 1000)))
            if self._connection.look():
                self._send(question)
            self._problem = self._connection.problem
            if left_s < 0 or self._is_hopeless():
                return None
            if not came:
                continue
            try:
                envelope = read_single(self._socket.recv_multipart(zmq.NOBLOCK))
            except WireError as error:
                if isinstance(error, WireVersionError) and error.reply_to == question.id:
                    raise NoAnswerError(f"{self.endpoint}: {error}") from None
                self._unreadable.note(error)
                continue
            if self._requester.answered(envelope.reply_to) is not None:
                return envelope

    def _why(self, question: Question, begun: float) -> str:
        if self._problem:
            return f": {self._problem}"
        tried = f"{question.attempts} attempt(s) in {time.monotonic() - begun:.1f} s"
        return f" ({tried}); is the scheduler running there? check host and port"

    def _opened(self, answer: Envelope) -> Message:
        message = read_answer(answer, self.endpoint, self._unreadable.note)
        if isinstance(message, Error):
            raise RefusedError(message)
        return message
