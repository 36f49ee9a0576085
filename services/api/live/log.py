"""The newest events as they are sent, and where each reader stands in them. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

MOST_EVENTS = 10_000
MOST_BYTES = 16 * 1024 * 1024


class Entry(NamedTuple):
    """An event as it is sent. `seq` is its change number, 0 for a passing notice."""

    topic: str
    seq: int
    frame: bytes


class EventLog:
    """A window on the stream of events. Readers hold positions in it, so a slow one costs no memory.

    `head` is the newest change that is in, `epoch` that of the change log ("": nothing is known yet), `end` the
    position after the newest event.
    """

    def __init__(self, most_events: int = MOST_EVENTS, most_bytes: int = MOST_BYTES) -> None:
        self.epoch = ""
        self.head = 0
        self.end = 0
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._entries: list[Entry] = []
        self._heads: list[int] = []  # for each entry the newest change up to it
        self._bytes = 0
        self._floor = 0

    def restart(self, epoch: str, seq: int) -> None:
        """Begin anew after change `seq`: nobody who stood in the former events can go on."""
        self.epoch = epoch
        self.head = self._floor = seq
        self.end += 1
        self._entries, self._heads, self._bytes = [], [], 0

    def append(self, entries: Sequence[Entry], head: int) -> None:
        """Add events; `head` is the newest change that is known with them. The oldest are dropped beyond the limits."""
        for entry in entries:
            self.head = max(self.head, entry.seq)
            self._entries.append(entry)
            self._heads.append(self.head)
            self._bytes += len(entry.frame)
        self.head = max(self.head, head)
        self.end += len(entries)
        self._drop()

    def position_after(self, seq: int) -> int | None:
        """Where a reader goes on that has all changes up to `seq`. None: that change is no longer here, or not yet."""
        if not self._floor <= seq <= self.head:
            return None
        return self._first + bisect_right(self._heads, seq)

    def after(self, position: int, most_bytes: int = MOST_BYTES) -> list[Entry] | None:
        """The events from this position on, as many as fit and at least one; None where some were dropped."""
        if position < self._first:
            return None
        found: list[Entry] = []
        for entry in self._entries[position - self._first :]:
            most_bytes -= len(entry.frame)
            if most_bytes < 0 and found:
                break
            found.append(entry)
        return found

    @property
    def _first(self) -> int:
        return self.end - len(self._entries)

    def _drop(self) -> None:
        surplus = max(0, len(self._entries) - self._most_events)
        left_bytes = self._bytes - sum(len(entry.frame) for entry in self._entries[:surplus])
        while left_bytes > self._most_bytes and surplus < len(self._entries) - 1:
            left_bytes -= len(self._entries[surplus].frame)
            surplus += 1
        if surplus:
            self._floor = self._heads[surplus - 1]
            self._bytes = left_bytes
            del self._entries[:surplus], self._heads[:surplus]
