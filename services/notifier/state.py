"""Decides what is sent when: each alarm once, its end once, again after a pause where that failed. No sockets, clock.

What was told is kept by the id of the alarm, so an alarm that is known already is not told again, whatever restarts.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct, field

from warpcore.bus.messages import Alarm
from warpcore.bus.vocabulary import Severity

LONGEST_PAUSE_S = 600.0
MOST_WAITING = 200
"""So many notices wait for a channel that fails; older ones are dropped."""


class Pace(Struct, frozen=True):
    """Times in seconds.

    Alarms are asked for when an event tells of one, and in any case each `ask_s`. A scheduler that has not answered for
    `silent_s` is an alarm of its own. Alarms that come within `gather_s` go in one message; one that could not be sent
    is sent again after `first_pause_s`, then after twice as long each time.
    """

    ask_s: float = 15.0
    silent_s: float = 120.0
    gather_s: float = 2.0
    first_pause_s: float = 5.0


USUAL = Pace()


class Notice(Struct, frozen=True):
    """That an alarm has come, or has `ended`, at `at` (epoch seconds)."""

    alarm: Alarm
    at: float
    ended: bool = False


class Outbox(Struct):
    """What waits for one channel. `next_at` is monotonic, so a new process begins without a pause."""

    waiting: list[Notice] = field(default_factory=list)
    failures: int = 0
    next_at: float = 0.0

    def put(self, notices: list[Notice], now: float, pace: Pace = USUAL) -> None:
        """Take in notices."""
        if notices and not self.waiting:
            self.next_at = max(self.next_at, now + pace.gather_s)
        self.waiting = (self.waiting + notices)[-MOST_WAITING:]

    def due(self, now: float) -> list[Notice]:
        """What is to be sent now, in one message."""
        return list(self.waiting) if now >= self.next_at else []

    def sent(self, notices: list[Notice]) -> None:
        """They have arrived."""
        self.waiting = self.waiting[len(notices) :]
        self.failures, self.next_at = 0, 0.0

    def failed(self, now: float, pace: Pace = USUAL) -> float:
        """They have not; returns after how many seconds they are tried again."""
        pause_s = float(min(pace.first_pause_s * 2 ** min(self.failures, 20), LONGEST_PAUSE_S))
        self.failures += 1
        self.next_at = now + pause_s
        return pause_s


class NotifierState(Struct):
    """The alarms that were seen last, by id, which of them were told, and the outbox of each channel."""

    known: dict[str, Alarm] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    outboxes: dict[str, Outbox] = field(default_factory=dict)

    def see(self, alarms: Iterable[Alarm], severity: Severity, now: float, wall: float, pace: Pace = USUAL) -> bool:
        """Take in all alarms that hold now; those from `severity` on are told. Returns whether anything is new.

        One that someone has acknowledged before it could be told is not told at all.
        """
        held = {alarm.id: alarm for alarm in alarms}
        ended = [Notice(self.known[id], wall, ended=True) for id in self.known if id not in held and id in self.told]
        new = [alarm for id, alarm in held.items() if id not in self.known]
        come = [Notice(alarm, alarm.since) for alarm in new if not alarm.acknowledged and _urgent(alarm, severity)]
        changed = held.keys() != self.known.keys()
        self.known = held
        self.told = {notice.alarm.id for notice in come} | (self.told & held.keys())
        for outbox in self.outboxes.values():
            outbox.put(ended + come, now, pace)
        return changed

    def use(self, channels: Iterable[str]) -> None:
        """Have an outbox for each of these channels, and for no other."""
        self.outboxes = {name: self.outboxes.get(name, Outbox()) for name in channels}


def _urgent(alarm: Alarm, severity: Severity) -> bool:
    return severity == Severity.WARNING or alarm.severity == Severity.CRITICAL
