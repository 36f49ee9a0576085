"""Remembers answers, so that a request that arrives twice is carried out only once."""

from __future__ import annotations

from collections import OrderedDict

from warpcore.bus.envelope import Envelope


class ReplyCache:
    """The answer to each request id. At most `capacity` are kept; the least recently used is forgotten first."""

    def __init__(self, capacity: int = 10_000) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}, must be at least 1")
        self.capacity = capacity
        self._replies: OrderedDict[str, Envelope] = OrderedDict()

    def get(self, request_id: str) -> Envelope | None:
        """The first answer to this id, or None if the id is new or its answer was forgotten."""
        reply = self._replies.get(request_id)
        if reply is not None:
            self._replies.move_to_end(request_id)
        return reply

    def put(self, request_id: str, reply: Envelope) -> None:
        """Remember an answer. A second answer to the same id is ignored."""
        if request_id in self._replies:
            return
        self._replies[request_id] = reply
        if len(self._replies) > self.capacity:
            self._replies.popitem(last=False)

    def __len__(self) -> int:
        return len(self._replies)
