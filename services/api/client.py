"""Requests to the scheduler from inside an event loop: one DEALER, any number of questions in flight."""

from __future__ import annotations

import asyncio
from typing import Protocol, TypeVar

import zmq
import zmq.asyncio

from warpcore.bus.client import NoAnswerError, RefusedError
from warpcore.bus.dealer import read_single
from warpcore.bus.envelope import Envelope, WireError, encode, new_id
from warpcore.bus.messages import Error
from warpcore.bus.schema import Message, read_message
from warpcore.bus.sockets import Malformed, open_socket

M = TypeVar("M", bound=Message)


class Scheduler(Protocol):
    """What the resources need of the scheduler."""

    async def request(self, message: Message) -> Message:
        """The answer. Raises RefusedError, or NoAnswerError where there is none."""


class SchedulerClient:
    """A DEALER to the control port at `endpoint`; answers are matched by id, so that a slow one holds up no other.

    A request is sent up to `attempts` times under one id (the scheduler answers a repeated id with its first answer),
    each waiting `timeout_s`. Nothing is queued for a scheduler that is not there: a request that was given up never
    takes effect later.
    """

    def __init__(self, endpoint: str, source: str = "api", timeout_s: float = 1.5, attempts: int = 2) -> None:
        self.endpoint = endpoint
        self._source = source
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._unreadable = Malformed(f"answers of {endpoint}")
        self._waiting: dict[str, asyncio.Future[Envelope]] = {}
        self._socket: zmq.Socket[bytes] | None = None
        self._asynchronous: zmq.asyncio.Socket | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; call inside the event loop that asks."""
        self._socket = open_socket(zmq.DEALER)
        self._socket.setsockopt(zmq.IDENTITY, f"{self._source}-{new_id()}".encode()[-64:])
        self._socket.setsockopt(zmq.IMMEDIATE, 1)
        self._socket.connect(self.endpoint)
        self._asynchronous = zmq.asyncio.Socket.shadow(self._socket)
        self._reader = asyncio.create_task(self._read(self._asynchronous))

    async def close(self) -> None:
        """Stop reading and disconnect; questions in flight end in NoAnswerError."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        for future in self._waiting.values():
            future.cancel()
        if self._asynchronous is not None and self._socket is not None:
            self._asynchronous.close()
            self._socket.close(linger=0)

    async def request(self, message: Message) -> Message:
        """The scheduler's answer. Raises RefusedError with its error, or NoAnswerError."""
        assert self._asynchronous is not None, "open() first"
        envelope = Envelope(message.TYPE, message.to_body(), self._source)
        frame = encode(envelope)
        future: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        self._waiting[envelope.id] = future
        try:
            for _ in range(self._attempts):
                try:
                    async with asyncio.timeout(self._timeout_s):
                        await self._asynchronous.send(frame)
                        answer = await asyncio.shield(future)
                except TimeoutError:
                    continue
                return _opened(answer)
        finally:
            del self._waiting[envelope.id]
        raise NoAnswerError(f"no answer from the scheduler at {self.endpoint} to {message.TYPE}; is it running?")

    async def _read(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            frames = await socket.recv_multipart()
            try:
                envelope = read_single(frames)
            except WireError as error:
                self._unreadable.note(error)
                continue
            future = self._waiting.get(envelope.reply_to or "")
            if future is not None and not future.done():
                future.set_result(envelope)


def _opened(envelope: Envelope) -> Message:
    message = read_message(envelope.type, envelope.body)
    if isinstance(message, Error):
        raise RefusedError(message)
    return message


async def ask(scheduler: Scheduler, message: Message, answer: type[M]) -> M:
    """The scheduler's answer, which must be of the type `answer`."""
    reply = await scheduler.request(message)
    if not isinstance(reply, answer):
        raise WireError(f"{message.TYPE} was answered with {reply.TYPE}, not {answer.TYPE}")
    return reply
