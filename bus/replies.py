"""Remembers answers, so that a request that arrives twice is carried out only once."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from dataclasses import dataclass, field

MOST_BYTES = 32 * 1024 * 1024
MOST_BYTES_OF_PEER = 2 * 1024 * 1024

_ENTRY_BYTES = 400
"""What an answer takes beside its frame."""

Key = tuple[bytes, str]


@dataclass(slots=True)
class _Peer:
    """The answers to one peer by request id, the least recently used first, and their bytes."""

    ids: OrderedDict[str, None] = field(default_factory=OrderedDict)
    bytes: int = 0


class ReplyCache:
    """The packed answer to each request of each peer.

    Beyond `most_bytes` in all, or `most_bytes_of_peer` of one peer, the least recently used are forgotten: a peer with
    large answers costs itself its earlier ones. The newest answer of a peer is kept in any case.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, most_bytes_of_peer: int = MOST_BYTES_OF_PEER) -> None:
        self._most_bytes = most_bytes
        self._most_bytes_of_peer = most_bytes_of_peer
        self._frames: OrderedDict[Key, bytes] = OrderedDict()
        self._peers: defaultdict[bytes, _Peer] = defaultdict(_Peer)
        self.bytes = 0
        """What all answers take."""

    def get(self, peer: bytes, request_id: str) -> bytes | None:
        """The first answer to this request, or None if it is new or its answer was forgotten."""
        frame = self._frames.get((peer, request_id))
        if frame is not None:
            self._frames.move_to_end((peer, request_id))
            self._peers[peer].ids.move_to_end(request_id)
        return frame

    def put(self, peer: bytes, request_id: str, frame: bytes) -> None:
        """Remember an answer. A second answer to the same request is ignored."""
        if (peer, request_id) in self._frames:
            return
        self._frames[peer, request_id] = frame
        own = self._peers[peer]
        own.ids[request_id] = None
        self._count(own, len(frame) + _ENTRY_BYTES)
        while own.bytes > self._most_bytes_of_peer and len(own.ids) > 1:
            self._forget((peer, next(iter(own.ids))))
        while self.bytes > self._most_bytes and len(self._frames) > 1:
            self._forget(next(iter(self._frames)))

    def __len__(self) -> int:
        return len(self._frames)

    def _forget(self, key: Key) -> None:
        peer, request_id = key
        frame, own = self._frames.pop(key), self._peers[peer]
        del own.ids[request_id]
        self._count(own, -len(frame) - _ENTRY_BYTES)
        if not own.ids:
            del self._peers[peer]

    def _count(self, own: _Peer, size: int) -> None:
        own.bytes += size
        self.bytes += size
