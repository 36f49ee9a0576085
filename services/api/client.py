"""Requests to the scheduler from inside an event loop: one DEALER, any number of questions in flight."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol, TypeVar

import zmq
import zmq.asyncio

from warpcore.bus.client import NoAnswerError, RefusedError
from warpcore.bus.connecting import Connection
from warpcore.bus.dealer import read_single
from warpcore.bus.envelope import Envelope, WireError, WireVersionError, encode, new_id
from warpcore.bus.keys import ClientKey
from warpcore.bus.messages import Error
from warpcore.bus.requester import Patience, Question, Requester, Step, patience_for, read_answer
from warpcore.bus.schema import Message
from warpcore.bus.sockets import Dropped, open_socket
from warpcore.services.api.access.acting import acting_user
from warpcore.services.session.path_map import AS_TOLD, PathMap

M = TypeVar("M", bound=Message)


_CONNECT_S = 3.0
"""A scheduler to which there is no connection for so long is not there."""


class Scheduler(Protocol):
    """What the resources need of the scheduler. `paths` says where this host sees the folders that it names."""

    paths: PathMap

    async def request(self, message: Message, user: str = "") -> Message:
        """The answer to what `user` asks. Raises RefusedError, or NoAnswerError where there is none."""


class SchedulerClient:
    """A DEALER to the control port at `endpoint`. Answers are matched by id, so a slow one delays no other.

    A request is sent up to `attempts` times under one id (the scheduler carries out a repeated id once),
    each waiting `timeout_s`, with a short pause before the next; one about settings waits for a minute: the
    scheduler looks at their files and judges every movie. Nothing is queued while there is no connection: a
    request that was given up never takes effect later.
    """

    def __init__(
        self,
        endpoint: str,
        source: str = "api",
        timeout_s: float = 1.5,
        attempts: int = 2,
        paths: PathMap = AS_TOLD,
        key: ClientKey | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.paths = paths
        self._source = source
        self._key = key
        self._patience = Patience(timeout_s, attempts)
        self._requester = Requester()
        self._unreadable = Dropped(f"answers of {endpoint}")
        self._waiting: dict[str, asyncio.Future[Envelope]] = {}
        self._connection: Connection | None = None
        self._asynchronous: zmq.asyncio.Socket | None = None
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; call inside the event loop that asks."""
        socket = open_socket(zmq.DEALER)
        socket.setsockopt(zmq.IDENTITY, f"{self._source}-{new_id()}".encode()[-64:])
        socket.setsockopt(zmq.IMMEDIATE, 1)
        self._connection = Connection(socket, self.endpoint, self._key)
        self._asynchronous = zmq.asyncio.Socket.shadow(socket)
        self._reader = asyncio.create_task(self._read(self._asynchronous))

    async def close(self) -> None:
        """Stop reading and disconnect; questions in flight end in NoAnswerError."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(NoAnswerError(f"the connection to {self.endpoint} was closed"))
        if self._asynchronous is not None and self._connection is not None:
            self._asynchronous.close()
            self._connection.close()

    async def request(self, message: Message, user: str = "") -> Message:
        """The scheduler's answer to what `user` asks. Raises RefusedError with its error, or NoAnswerError."""
        patience = patience_for(message, self._patience)
        question = self._requester.ask(message, patience, time.monotonic())
        future: asyncio.Future[Envelope] = asyncio.get_running_loop().create_future()
        self._waiting[question.id] = future
        try:
            answer = await self._answer(question, future, user)
        finally:
            self._requester.forget(question.id)
            del self._waiting[question.id]
        if answer is None:
            raise NoAnswerError(f"no answer from the scheduler at {self.endpoint} to {message.TYPE}; is it running?")
        reply = read_answer(answer, self.endpoint, self._unreadable.note)
        if isinstance(reply, Error):
            raise RefusedError(reply)
        return reply

    async def _answer(self, question: Question, future: asyncio.Future[Envelope], user: str) -> Envelope | None:
        """The answer's envelope, or None when all attempts are used up."""
        assert self._asynchronous is not None, "open() first"
        assert self._connection is not None, "open() first"
        self._connection.look()
        message = question.message
        frame = encode(Envelope(message.TYPE, message.to_body(), self._source, id=question.id, user=user))
        while (step := question.step(time.monotonic())) is not Step.GIVE_UP:
            try:
                async with asyncio.timeout(question.due_at - time.monotonic()):
                    if step is Step.SEND and not await _is_sent(self._asynchronous, frame):
                        return None
                    return await asyncio.shield(future)
            except TimeoutError:
                if future.done():  # answered at the last moment, or the client was closed
                    return future.result()
        return None

    async def _read(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            frames = await socket.recv_multipart()
            try:
                envelope = read_single(frames)
            except WireError as error:
                self._unreadable.note(error)
                if isinstance(error, WireVersionError) and (asked := self._asked(error.reply_to)) is not None:
                    asked.set_exception(NoAnswerError(f"{self.endpoint}: {error}"))
                continue
            if (asked := self._asked(envelope.reply_to)) is not None:
                asked.set_result(envelope)

    def _asked(self, reply_to: str | None) -> asyncio.Future[Envelope] | None:
        """The question that an answer closes, None where nobody waits for it."""
        question = self._requester.answered(reply_to)
        if question is None or self._waiting[question.id].done():
            return None
        return self._waiting[question.id]


async def _is_sent(socket: zmq.asyncio.Socket, frame: bytes) -> bool:
    """Whether a frame is on its way; it waits for a connection."""
    try:
        async with asyncio.timeout(_CONNECT_S):
            await socket.send(frame)
    except TimeoutError:
        return False
    return True


async def ask(scheduler: Scheduler, message: Message, answer: type[M]) -> M:
    """The scheduler's answer to what the sender of the present request asks, which must be of the type `answer`."""
    reply = await scheduler.request(message, acting_user.get())
    if not isinstance(reply, answer):
        raise WireError(f"{message.TYPE} was answered with {reply.TYPE}, not {answer.TYPE}")
    return reply
