"""Queues: ids in order, and ids that wait for a time. All operations are O(log n)."""

from __future__ import annotations

import enum
import heapq
from collections.abc import Callable, Iterator, Sequence

Key = tuple[int, ...]

LONGEST_LOOK = 256
"""A choice passes over at most so many entries; other workers take those."""


class Verdict(enum.Enum):
    """What `choose` should do with the next id."""

    TAKE = enum.auto()
    SKIP = enum.auto()
    STOP = enum.auto()


class OrderedQueue:
    """Ids in the order of their keys, smallest first. A removed id leaves its heap entry, which is dropped later."""

    def __init__(self) -> None:
        self._keys: dict[int, Key] = {}
        self._heap: list[tuple[Key, int]] = []

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, id: int) -> bool:
        return id in self._keys

    def __iter__(self) -> Iterator[int]:
        """All ids, in order."""
        return iter(sorted(self._keys, key=lambda id: (self._keys[id], id)))

    def put(self, id: int, key: Key) -> None:
        """Add an id, or move it to another place."""
        if self._keys.get(id) == key:
            return
        self._keys[id] = key
        heapq.heappush(self._heap, (key, id))
        if len(self._heap) > 2 * len(self._keys) + 1000:
            self._heap = [(key, id) for id, key in self._keys.items()]
            heapq.heapify(self._heap)

    def remove(self, id: int) -> None:
        """Take an id out; one that is not in is no error."""
        self._keys.pop(id, None)

    def choose(self, judge: Callable[[int], Verdict]) -> int | None:
        """The first id that `judge` takes, None where it takes none or stops. The id stays in the queue."""
        passed: dict[int, tuple[Key, int]] = {}
        chosen = None
        while self._heap and len(passed) < LONGEST_LOOK:
            key, id = self._heap[0]
            if self._keys.get(id) != key or id in passed:
                heapq.heappop(self._heap)
                continue
            verdict = judge(id)
            if verdict is Verdict.TAKE:
                chosen = id
            if verdict is not Verdict.SKIP:
                break
            passed[id] = heapq.heappop(self._heap)
        for entry in passed.values():
            heapq.heappush(self._heap, entry)
        return chosen


class WaitingQueue:
    """Ids in one order, or in several that take turns: `turn` counts choices."""

    def __init__(self, orders: int = 1) -> None:
        self._queues = [OrderedQueue() for _ in range(orders)]

    def __len__(self) -> int:
        return len(self._queues[0])

    def __contains__(self, id: int) -> bool:
        return id in self._queues[0]

    def in_turn(self, turn: int) -> OrderedQueue:
        """All ids in the order whose turn it is."""
        return self._queues[turn % len(self._queues)]

    def put(self, id: int, keys: Sequence[Key]) -> None:
        """Add an id with its key in each order, or move it to other places."""
        for queue, key in zip(self._queues, keys, strict=True):
            queue.put(id, key)

    def remove(self, id: int) -> None:
        """Take an id out; one that is not in is no error."""
        for queue in self._queues:
            queue.remove(id)


class Parked:
    """Ids that wait for a time to come."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._until)

    def __contains__(self, id: int) -> bool:
        return id in self._until

    def put(self, id: int, until: float) -> None:
        """Park an id until that time."""
        self._until[id] = until
        heapq.heappush(self._heap, (until, id))

    def remove(self, id: int) -> None:
        """Take an id out before its time; one that is not in is no error."""
        self._until.pop(id, None)

    def due(self, now: float) -> list[int]:
        """Take out the ids whose time has come, in the order of their times."""
        ids = []
        while self._heap and self._heap[0][0] <= now:
            until, id = heapq.heappop(self._heap)
            if self._until.get(id) == until:
                del self._until[id]
                ids.append(id)
        return ids
