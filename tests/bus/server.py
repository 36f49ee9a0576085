"""A peer that answers requests on a real ROUTER as a test tells it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.guard import Guard
from warpcore.bus.messages import Ok
from warpcore.bus.replies import ReplyCache
from warpcore.bus.rights import Domain
from warpcore.bus.router import Router
from warpcore.bus.schema import Message

Answer = Callable[[Envelope, int], Message | bytes | None]
"""(request, how many requests came before it) → the answer, raw bytes, or silence."""


def ok_after(seconds: float) -> Answer:
    """Answers that come late."""

    def answer(envelope: Envelope, before: int) -> Message:
        threading.Event().wait(seconds)
        return Ok()

    return answer


class Server:
    """A peer on a real ROUTER in a thread: answers as told and keeps what it received."""

    def __init__(
        self,
        address: str,
        answer: Answer,
        replies: ReplyCache | None = None,
        guard: Guard | None = None,
        domain: Domain = Domain.CONTROL,
    ) -> None:
        self.received: list[Envelope] = []
        self.carried_out: list[str] = []
        self._answer = answer
        self._replies = replies
        self._to_send: queue.SimpleQueue[tuple[bytes, Envelope, Future[bool]]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self.router = Router(address, domain, guard)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def send(self, identity: bytes, envelope: Envelope) -> bool:
        """Send something unasked, by the thread that has the socket; whether the router took it."""
        sent: Future[bool] = Future()
        self._to_send.put((identity, envelope, sent))
        return sent.result(60)

    def _serve(self) -> None:
        while not self._stop.is_set():
            self.router.socket.poll(20)
            while not self._to_send.empty():
                to, unasked, sent = self._to_send.get()
                sent.set_result(self.router.send(to, unasked))
            for identity, envelope in self.router.receive():
                self._respond(identity, envelope)

    def _respond(self, identity: bytes, envelope: Envelope) -> None:
        self.received.append(envelope)
        frame = self._replies.get(identity, envelope.id) if self._replies is not None else None
        if frame is None:
            self.carried_out.append(envelope.id)
            answer = self._answer(envelope, len(self.received) - 1)
            if isinstance(answer, bytes):
                self.router.socket.send_multipart([identity, answer])
                return
            if answer is None:
                return
            frame = encode(Envelope(answer.TYPE, answer.to_body(), "test", reply_to=envelope.id))
            if self._replies is not None:
                self._replies.put(identity, envelope.id, frame)
        self.router.send_frame(identity, frame)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.router.close()


@contextmanager
def serving(
    address: str,
    answer: Answer,
    replies: ReplyCache | None = None,
    guard: Guard | None = None,
    domain: Domain = Domain.CONTROL,
) -> Iterator[Server]:
    server = Server(address, answer, replies, guard, domain)
    try:
        yield server
    finally:
        server.close()
