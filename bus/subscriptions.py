"""What subscribers have asked for, and who of them asks for too much. Pure: no sockets, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

LONGEST_TOPIC = 256
"""Bytes; our own topics have at most 20."""
MOST_BYTES = 64 * 1024
"""All topics of all subscribers together; ours take less than 1 kB."""

_SUBSCRIBE, _LEAVE = b"\x01", b"\x00"
_OWN_BYTES = 32
"""What even a topic of one letter counts."""


class Subscriptions:
    """The topics that a publishing socket holds, each with the key that asked for it first ("" without keys).

    ZeroMQ keeps each topic as a tree of its characters, some 60 bytes a character, for as long as the subscriber is
    connected, and bounds neither their number nor their memory.

    `topics` are those that are published, `wanted` those of them that somebody has asked for. They stay wanted: who
    leaves a topic without having held it is told of too, while others hold it.
    """

    def __init__(self, topics: Iterable[str] = ()) -> None:
        self._holders: dict[bytes, str] = {}
        self._bytes: Counter[str] = Counter()
        self._topics = {topic: topic.encode() for topic in topics}
        self.wanted: set[str] = set()

    def take(self, request: bytes, public: str) -> bool:
        """Note a subscription or the end of one. False for what is neither, and for a topic that nobody publishes."""
        kind, topic = request[:1], request[1:]
        if kind == _SUBSCRIBE and topic not in self._holders:
            self._holders[topic] = public
            self.wanted |= {name for name, encoded in self._topics.items() if encoded.startswith(topic)}
            self._bytes[public] += len(topic) + _OWN_BYTES
        elif kind == _LEAVE and topic in self._holders:
            self._bytes[self._holders.pop(topic)] -= len(topic) + _OWN_BYTES
        return kind in (_SUBSCRIBE, _LEAVE) and len(topic) <= LONGEST_TOPIC

    @property
    def greedy(self) -> str | None:
        """The key that holds most of too many topics; None while there are not too many."""
        if self._bytes.total() <= MOST_BYTES:
            return None
        return self._bytes.most_common(1)[0][0]
