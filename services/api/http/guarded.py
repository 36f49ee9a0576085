"""gunicorn's protocol of one connection, which says what phase it is in and can be closed from outside.

gunicorn 27 bounds the number and length of header lines, and how long an idle connection stays; its ASGI worker
bounds neither the time for a head or a body, nor the number of connections (`worker_connections` is not read).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gunicorn.asgi.protocol import ASGIProtocol

from warpcore.services.api.http.connections import Phase

MAX_HEAD_BYTES = 32 * 1024
"""Request line and headers together: four times what any other server takes of one line."""


class GuardedProtocol(ASGIProtocol):  # type: ignore[misc]
    """Tells `turns` each new phase, `takes` when the client takes what was written, `goes` when it ends."""

    def __init__(
        self,
        worker: Any,
        turns: Callable[[Phase], None],
        takes: Callable[[], None],
        goes: Callable[[], None],
    ) -> None:
        super().__init__(worker)
        self._turns, self._takes, self._goes = turns, takes, goes
        self._phase = Phase.HEAD
        self._head_bytes = 0
        self._is_answered = False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        super().connection_lost(exc)
        self._goes()

    def data_received(self, data: bytes) -> None:
        """More of a request. Refuses a head that grows too long."""
        super().data_received(data)
        if self._phase is Phase.HEAD and not self._closed:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.refuse(431, f"the head of a request may have {MAX_HEAD_BYTES} bytes")

    def resume_writing(self) -> None:
        """The client has taken most of what was written."""
        super().resume_writing()
        self._takes()

    def left(self) -> int:
        """Bytes that wait to be taken by the client, besides those that the kernel holds."""
        return 0 if self.transport is None else int(self.transport.get_write_buffer_size())

    def time_out(self) -> None:
        """Close a connection that has taken too long; with a word where its client has begun a request."""
        if self._phase is Phase.HEAD and self._head_bytes:
            self.refuse(408, "the head of the request took too long")
        elif self._phase is Phase.BODY and not self._is_answered:
            self.refuse(408, "the body of the request took too long")
        else:
            self.transport.abort()

    def refuse(self, status: int, reason: str) -> None:
        """Answer a request that is not complete, and close."""
        self._send_error_response(status, reason)
        self._close_transport()

    def _turn(self, phase: Phase) -> None:
        if phase is not Phase.HEAD:
            self._head_bytes = 0
        self._phase = phase
        self._turns(phase)

    # What gunicorn calls within itself.

    def _feed_callback_parser(self, data: bytes) -> Any:
        # Also what came behind the request before, once that is answered.
        if self._current_request is None and self._phase in (Phase.IDLE, Phase.ANSWER):
            self._turn(Phase.HEAD)
        return super()._feed_callback_parser(data)

    def _on_headers_complete(self) -> Any:
        self._is_answered = False
        self._turn(Phase.BODY)
        return super()._on_headers_complete()

    def _on_message_complete(self) -> None:
        self._turn(Phase.ANSWER)
        super()._on_message_complete()

    def _send_response_start(self, *told: Any, **more: Any) -> None:
        self._is_answered = True
        super()._send_response_start(*told, **more)

    def _is_websocket_upgrade(self, request: Any) -> bool:
        # REST has none; such a request is an ordinary one, so that it meets the same middlewares.
        return False

    def _arm_keepalive_timer(self) -> None:
        if self._phase is Phase.ANSWER:
            self._turn(Phase.IDLE)
        super()._arm_keepalive_timer()

    def _close_transport(self) -> None:
        self._turn(Phase.CLOSING)
        super()._close_transport()
        if self._request_ready is not None:
            self._request_ready.set()  # the task that waits for a head would wait until it is cancelled


@dataclass(frozen=True, slots=True)
class Gate:
    """One accepted connection: its protocol, and the task that connects it, which takes as long as TLS needs."""

    protocol: GuardedProtocol
    task: asyncio.Task[None]

    def time_out(self) -> None:
        """Close it for the time that it has taken."""
        if self.protocol.transport is None:
            self.task.cancel()
        else:
            self.protocol.time_out()

    def abort(self) -> None:
        """Close it at once."""
        if self.protocol.transport is None:
            self.task.cancel()
        else:
            self.protocol.transport.abort()
