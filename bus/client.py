"""Request and answer for callers that wait: the CLI, the API, the discoverer."""

from __future__ import annotations

import random
import time

import zmq

from warpcore.bus.dealer import read_single
from warpcore.bus.envelope import Envelope, WireError, encode, new_id
from warpcore.bus.messages import Error
from warpcore.bus.schema import Message, read_message
from warpcore.bus.sockets import Malformed, open_socket
from warpcore.bus.vocabulary import ErrorCode

_FIRST_BACK_OFF_S = 0.1
_LONGEST_BACK_OFF_S = 2.0


class NoAnswerError(TimeoutError):
    """Nobody answered in time; the text names the endpoint and what to check."""


class RefusedError(RuntimeError):
    """The answer was an error; `error` is it."""

    def __init__(self, error: Error) -> None:
        self.error = error
        super().__init__(error.detail)


class RequestClient:
    """Sends one request at a time and waits for its answer. For use by one thread.

    A request is sent up to `attempts` times under the same id, each waiting `timeout_s` and a jittered back-off, so it is
    carried out at most once. One that was given up is not delivered later either: its socket is closed.
    """

    def __init__(self, endpoint: str, source: str, timeout_s: float = 5.0, attempts: int = 3) -> None:
        self.endpoint = endpoint
        self.source = source
        self.timeout_s = timeout_s
        self.attempts = attempts
        self._unreadable = Malformed(f"answers of {endpoint}")
        self._socket: zmq.Socket[bytes] | None = None

    @property
    def malformed(self) -> int:
        """Messages dropped since they could not be read."""
        return self._unreadable.count

    def request(self, message: Message, timeout_s: float | None = None) -> Message:
        """The answer to `message`; `timeout_s` is for each attempt.

        Raises NoAnswerError, RefusedError where the answer is an error, WireError where the request is over the limit.
        """
        envelope = Envelope(message.TYPE, message.to_body(), self.source)
        frame = encode(envelope)
        patience = self.timeout_s if timeout_s is None else timeout_s
        answered = False
        try:
            for attempt in range(self.attempts):
                last = attempt == self.attempts - 1
                self._send(frame)
                answer = self._await(envelope.id, patience + (0.0 if last else _back_off(attempt)))
                if answer is not None:
                    answered = True
                    return self._read(answer)
        finally:
            if not answered:
                self.close()
        raise NoAnswerError(
            f"no answer from {self.endpoint} to {message.TYPE} "
            f"({self.attempts} attempt(s) of {patience:g} s); is the scheduler running there? check host and port"
        )

    def close(self) -> None:
        """Disconnect and drop what was not sent; a later request connects again."""
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None

    def __enter__(self) -> RequestClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, frame: bytes) -> None:
        if self._socket is None:
            self._socket = open_socket(zmq.DEALER)
            self._socket.setsockopt(zmq.IDENTITY, f"{self.source}-{new_id()}".encode()[-64:])
            self._socket.connect(self.endpoint)
        self._socket.send(frame, zmq.NOBLOCK)

    def _await(self, request_id: str, patience_s: float) -> Envelope | None:
        assert self._socket is not None
        deadline = time.monotonic() + patience_s
        while True:
            left_s = deadline - time.monotonic()
            if not self._socket.poll(max(0, round(left_s * 1000))) or left_s < 0:
                return None
            try:
                envelope = read_single(self._socket.recv_multipart(zmq.NOBLOCK))
            except WireError as error:
                self._unreadable.note(error)
                continue
            if envelope.reply_to == request_id:
                return envelope

    def _read(self, answer: Envelope) -> Message:
        try:
            message = read_message(answer.type, answer.body)
        except WireError as error:
            self._unreadable.note(error)
            message = Error(
                ErrorCode.BAD_MESSAGE, f"the answer of {self.endpoint} cannot be read ({error}); same version there?"
            )
        if isinstance(message, Error):
            raise RefusedError(message)
        return message


def _back_off(attempt: int) -> float:
    """Half to the whole of a time that doubles with each attempt, so that many clients do not return at once."""
    return random.uniform(0.5, 1.0) * min(_FIRST_BACK_OFF_S * 2.0**attempt, _LONGEST_BACK_OFF_S)
