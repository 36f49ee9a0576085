"""Remembers answers, so that a request that arrives twice is carried out once."""

from __future__ import annotations

from collections import OrderedDict

from warpcore.bus.envelope import Envelope


class ReplyCache:
    """Request id → the answer it got; the least recently used are forgotten beyond `capacity`."""

    def __init__(self, capacity: int = 10_000) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, must be at least 1")
        self.capacity = capacity
        self._replies: OrderedDict[str, Envelope] = OrderedDict()

    def get(self, request_id: str) -> Envelope | None:
        """The first answer to this id, or None where it is new (or long forgotten)."""
        reply = self._replies.get(request_id)
        if reply is not None:
            self._replies.move_to_end(request_id)
        return reply

    def put(self, request_id: str, reply: Envelope) -> None:
        """Remember an answer; a second one to the same id changes nothing."""
        if request_id in self._replies:
            return
        self._replies[request_id] = reply
        if len(self._replies) > self.capacity:
            self._replies.popitem(last=False)

    def __len__(self) -> int:
        return len(self._replies)
