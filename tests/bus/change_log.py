"""What a scheduler's change log is to a follower, for tests that play it."""

from __future__ import annotations

from warpcore.bus.envelope import Envelope
from warpcore.bus.follower import FollowerItem, Reset
from warpcore.bus.messages import Change, Changes, Error, GetChanges, GetSnapshot, Movie, ServiceEvent, Snapshot
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ErrorCode


class Log:
    """What a scheduler's change log is to a follower: numbered changes, an epoch, a beginning that may be trimmed."""

    def __init__(self, epoch: str = "e1") -> None:
        self.epoch = epoch
        self.head = 0
        self.first = 1
        self.movies: list[Movie] = []

    def change(self) -> Envelope:
        self.head += 1
        return self.row(self.head)

    def row(self, seq: int) -> Envelope:
        return Envelope("processing.paused", {"paused": seq % 2 == 0}, "scheduler", seq=seq)

    def beat(self) -> Envelope:
        body = ServiceEvent("scheduler", "host", 1, head=self.head, epoch=self.epoch).to_body()
        return Envelope("service.heartbeat", body, "scheduler")

    def answer(self, request: Message, page: int = 3) -> Message:
        if isinstance(request, GetSnapshot):
            movies = [movie for movie in self.movies if movie.id > request.after][:page]
            more = bool(movies) and movies[-1].id < self.movies[-1].id
            return Snapshot(self.head, self.epoch, movies, movies[-1].id if more else None, {}, 1, False)
        if not isinstance(request, GetChanges):
            return Error(ErrorCode.UNKNOWN_TYPE, request.TYPE)
        if request.since + 1 < self.first or request.since > self.head:
            return Changes([], self.head, self.epoch, trimmed=True)
        rows = [self.row(seq) for seq in range(request.since + 1, min(self.head, request.since + page) + 1)]
        return Changes([Change(row.seq, row.type, row.body) for row in rows], self.head, self.epoch)


def followed(items: list[FollowerItem]) -> list[int]:
    """The durable numbers after the last reset, that of the reset first."""
    numbers: list[int] = []
    for item in items:
        if isinstance(item, Reset):
            numbers = [item.seq]
        elif item.envelope.seq:
            numbers.append(item.envelope.seq)
    return numbers
