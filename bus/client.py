"""Request and answer for callers that wait: the command line, the tracker, tests."""

from __future__ import annotations

import time

import zmq

from warpcore.bus.dealer import read_single
from warpcore.bus.envelope import Envelope, WireError, encode, new_id
from warpcore.bus.messages import Error
from warpcore.bus.requester import Patience, Question, Requester, Step, read_answer
from warpcore.bus.schema import Message
from warpcore.bus.sockets import Malformed, open_socket


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
    `timeout_s`, and a short pause where another follows. One that was given up is not delivered later either: its
    socket is closed.
    """

    def __init__(self, endpoint: str, source: str, timeout_s: float = 5.0, attempts: int = 3) -> None:
        self.endpoint = endpoint
        self.source = source
        self.timeout_s = timeout_s
        self.attempts = attempts
        self._requester = Requester()
        self._unreadable = Malformed(f"answers of {endpoint}")
        self._socket: zmq.Socket[bytes] | None = None

    @property
    def malformed(self) -> int:
        """Messages dropped because they could not be read."""
        return self._unreadable.count

    def request(self, message: Message, timeout_s: float | None = None) -> Message:
        """The answer to `message`; `timeout_s` is for each attempt.

        Raises NoAnswerError, RefusedError if the answer is an error, WireError if the request is over the limit.
        """
        patience = Patience(self.timeout_s if timeout_s is None else timeout_s, self.attempts)
        question = self._requester.ask(message, patience, time.monotonic())
        answer = None
        try:
            answer = self._answer(question)
        finally:
            if answer is None:
                self.close()
        if answer is None:
            raise NoAnswerError(
                f"no answer from {self.endpoint} to {message.TYPE} ({patience.attempts} attempt(s) of "
                f"{patience.timeout_s:g} s); is the scheduler running there? check host and port"
            )
        return self._opened(answer)

    def close(self) -> None:
        """Disconnect and drop what was not sent; a later request connects again."""
        for question in self._requester.questions:
            self._requester.forget(question.id)
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None

    def __enter__(self) -> RequestClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, question: Question) -> Envelope | None:
        """The answer's envelope, or None when all attempts are used up."""
        while (step := question.step(time.monotonic())) is not Step.GIVE_UP:
            if step is Step.SEND:
                self._send(question)
            answer = self._next_answer(question.due_at)
            if answer is not None:
                return answer
        return None

    def _send(self, question: Question) -> None:
        message = question.message
        frame = encode(Envelope(message.TYPE, message.to_body(), self.source, id=question.id))
        if self._socket is None:
            self._socket = open_socket(zmq.DEALER)
            self._socket.setsockopt(zmq.IDENTITY, f"{self.source}-{new_id()}".encode()[-64:])
            self._socket.connect(self.endpoint)
        self._socket.send(frame, zmq.NOBLOCK)

    def _next_answer(self, deadline: float) -> Envelope | None:
        """The first envelope that answers an open question, or None at the deadline."""
        assert self._socket is not None
        while True:
            left_s = deadline - time.monotonic()
            if not self._socket.poll(max(0, round(left_s * 1000))) or left_s < 0:
                return None
            try:
                envelope = read_single(self._socket.recv_multipart(zmq.NOBLOCK))
            except WireError as error:
                self._unreadable.note(error)
                continue
            if self._requester.answered(envelope.reply_to) is not None:
                return envelope

    def _opened(self, answer: Envelope) -> Message:
        message = read_answer(answer, self.endpoint, self._unreadable.note)
        if isinstance(message, Error):
            raise RefusedError(message)
        return message
