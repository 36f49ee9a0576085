"""Follows the scheduler's state: a snapshot, then every change once and in order (the Clone pattern).

`FollowerState` decides (no sockets, no clock), `Follower` moves frames.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import zmq

from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, WireError, new_id
from warpcore.bus.events import Subscriber, check_event
from warpcore.bus.keys import ClientKey
from warpcore.bus.messages import Changes, Error, GetChanges, GetSnapshot, Movie, ServiceEvent, Snapshot
from warpcore.bus.requester import Patience, Requester, read_answer
from warpcore.bus.schema import Message

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 3.0
REFUSED_PAUSE_S = 1.0
QUIET_S = 7.0
"""The follower asks by itself after this long without a message; the scheduler's heartbeat comes every 2 s."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Forget everything: this is the state as of change `seq`. Changes since then follow as events.

    Movies of later pages may be newer than `seq`. All events since `seq` follow in any case; each holds the whole state
    of its movie, so the last one is right.
    """

    seq: int
    epoch: str
    movies: list[Movie]
    settings: dict[str, Any]
    settings_revision: int
    paused: bool


@dataclass(frozen=True, slots=True)
class Event:
    """A change (`envelope.seq` > 0: each once, in order, none missing) or a passing notice (`seq` 0: may be missed)."""

    envelope: Envelope


FollowerItem = Reset | Event

TakePage = Callable[[list[Movie], bool], None]
"""Takes a page of a snapshot; True: it is the first, and earlier ones are void."""


class FollowerState:
    """Decides what is known and what must be asked. Give it events and answers; send what `asking` returns.

    `take_page` is given the movies of a snapshot page by page instead of with the reset, so that not all of them are in
    memory at once.
    """

    def __init__(self, take_page: TakePage | None = None) -> None:
        self.epoch: str | None = None
        self.seq = 0
        self.malformed = 0
        self._head = 0
        self._must_ask = True
        self._first_page: Snapshot | None = None
        self._after = 0
        self._movies: list[Movie] = []
        self._take_page = take_page or self._collect

    def asking(self) -> Message | None:
        """The request whose answer is needed next, None while there is nothing to ask."""
        if self.epoch is None:
            return GetSnapshot(after=self._after)
        if self._must_ask or self._head > self.seq:
            return GetChanges(since=self.seq)
        return None

    def ask(self) -> None:
        """Ask for changes although none is known to be missing (after silence or a reconnect)."""
        self._must_ask = True

    def event(self, envelope: Envelope) -> list[FollowerItem]:
        """What an event from the hub (already checked) adds."""
        if envelope.seq > 0:
            self._head = max(self._head, envelope.seq)
            if self.epoch is None or envelope.seq != self.seq + 1:
                return []  # already known, or it will be part of the next answer
            self.seq = envelope.seq
            return [Event(envelope)]
        self._beat(envelope)
        return [Event(envelope)]

    def answer(self, message: Message) -> list[FollowerItem]:
        """What the answer to the last request adds."""
        if isinstance(message, Snapshot) and self.epoch is None:
            return self._page(message)
        if isinstance(message, Changes) and self.epoch is not None:
            return self._changes(message)
        return []

    def _beat(self, envelope: Envelope) -> None:
        """Events keep their order, so events were lost if the heartbeat names a newer change than ours."""
        if envelope.type != "service.heartbeat":
            return
        beat = ServiceEvent.from_body(envelope.body)
        if beat.service != "scheduler" or beat.head is None:
            return
        if beat.head != self.seq or beat.epoch != self.epoch:
            self._must_ask = True

    def _page(self, page: Snapshot) -> list[FollowerItem]:
        first = self._first_page or page
        if first.epoch != page.epoch:
            self._forget_pages()
            return []
        self._take_page(page.movies, self._first_page is None)
        self._first_page = first
        if page.next_after is not None:
            self._after = page.next_after
            return []
        movies = self._movies
        self._forget_pages()
        self.epoch, self.seq, self._head = first.epoch, first.seq, first.seq
        self._must_ask = True
        return [
            Reset(first.seq, first.epoch, movies, first.settings, first.settings_revision, first.paused),
        ]

    def _collect(self, movies: list[Movie], first: bool) -> None:
        self._movies += movies

    def _forget_pages(self) -> None:
        self._first_page, self._after, self._movies = None, 0, []

    def _changes(self, answer: Changes) -> list[FollowerItem]:
        # Rows that should be there and did not come (lost from the log, or too large for a frame) count as trimmed.
        missing = answer.head > self.seq and not any(change.seq > self.seq for change in answer.changes)
        if answer.trimmed or answer.epoch != self.epoch or answer.head < self.seq or missing:
            log.info("the change log does not reach back to %d: taking a snapshot", self.seq)
            self.epoch = None
            return []
        items: list[FollowerItem] = []
        for change in answer.changes:
            if change.seq <= self.seq:
                continue
            self.seq = change.seq
            try:
                check_event(change.topic, change.body)
            except WireError as error:
                self.malformed += 1
                log.warning("change %d cannot be read and is skipped: %s", change.seq, error)
                continue
            items.append(Event(Envelope(change.topic, change.body, "scheduler", seq=change.seq)))
        self._head = answer.head
        self._must_ask = False
        return items


class Follower:
    """Follows the scheduler from any host, through its restarts and through lost connections. For use by one thread.

    `topics` are prefixes of the events wanted; resets come always, with all movies, or without any where `take_page` is
    given them page by page.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        source: str,
        topics: Sequence[str] = ("",),
        take_page: TakePage | None = None,
        key: ClientKey | None = None,
    ) -> None:
        self.connected = False
        """Whether the scheduler has answered the last request, or has had little time to."""
        self._state = FollowerState(take_page)
        self._topics = tuple(topics)
        self._events = Subscriber(endpoints.events_out, key=key)
        self._dealer = Dealer(endpoints.control, f"{source}-{new_id()}".encode()[-64:], source, queued=2, key=key)
        self._poller = zmq.Poller()
        self._poller.register(self._events.socket, zmq.POLLIN)
        self._poller.register(self._dealer.socket, zmq.POLLIN)
        self._requester = Requester()
        self._patience = Patience(ANSWER_TIMEOUT_S)
        self._heard = time.monotonic()
        self._ask_again_at = self._heard

    @property
    def seq(self) -> int:
        """The newest change that `poll` has returned."""
        return self._state.seq

    @property
    def malformed(self) -> int:
        """Messages dropped because they could not be read."""
        return self._events.malformed + self._dealer.malformed + self._state.malformed

    def poll(self, timeout_s: float) -> list[FollowerItem]:
        """What has happened; waits up to `timeout_s` for something to happen."""
        deadline = time.monotonic() + timeout_s
        while True:
            items = self._take()
            self._ask(time.monotonic())
            wanted = [item for item in items if self._is_wanted(item)]
            left_s = deadline - time.monotonic()
            if wanted or left_s < 0:
                return wanted
            self._poller.poll(max(1, round(min(left_s, 0.5) * 1000)))

    def ask(self) -> None:
        """Ask for changes at the next poll, although none is known to be missing."""
        self._state.ask()

    def close(self) -> None:
        """Disconnect."""
        self._events.close()
        self._dealer.close()

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _is_wanted(self, item: FollowerItem) -> bool:
        return isinstance(item, Reset) or item.envelope.type.startswith(self._topics)

    def _take(self) -> list[FollowerItem]:
        items: list[FollowerItem] = []
        for envelope in self._dealer.receive():
            if self._requester.answered(envelope.reply_to) is None:
                continue
            self.connected = True
            self._heard = time.monotonic()
            message = read_answer(envelope, self._dealer.endpoint)
            if isinstance(message, Error):
                log.warning("the scheduler does not tell its state: %s", message.detail)
                self._ask_again_at = self._heard + REFUSED_PAUSE_S
            items += self._state.answer(message)
        for envelope in self._events.drain():
            self._heard = time.monotonic()
            items += self._state.event(envelope)
        return items

    def _ask(self, now: float) -> None:
        if not self._requester.questions:
            if now - self._heard > QUIET_S:
                self._state.ask()
                self._heard = now
            request = self._state.asking()
            if request is not None and now >= self._ask_again_at:
                self._requester.ask(request, self._patience, now)
        for question in self._requester.due(now):
            self.connected = self.connected and question.attempts == 1
            self._dealer.send(question.message, id=question.id)
