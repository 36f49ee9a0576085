"""Decides when a file is whole and must be registered. No files, sockets or clocks; `now` is monotonic seconds.

A path is known (registered with this identity), incubating, set aside (it looks like a reference), refused by the
scheduler, or ready: it waits for the scheduler's acknowledgement.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from itertools import islice

from warpcore.bus.limits import MOST_AT_ONCE
from warpcore.bus.messages import FoundFile
from warpcore.services.discoverer.examining import Examined
from warpcore.services.discoverer.listing import Identity, Listing
from warpcore.services.session.paths import movie_root

LONGEST_RECHECK_S = 5.0
_BATCH_BYTES = 700_000
_BYTES_BESIDE_PATH = 50
_MOST_TOLD = 3
_MOST_LOOKED_FOR = 8


@dataclass(frozen=True, slots=True)
class Notice:
    """An event to publish: its topic is one of the `file.*` topics."""

    topic: str
    path: str
    detail: str = ""


@dataclass(slots=True)
class _Candidate:
    identity: Identity
    seen: float
    """When it was seen first."""
    since: float
    """When it changed last."""
    recheck_s: float
    due: float
    examining: bool = False
    changed: bool = False
    """Whether it changed while it was being examined."""
    fault: str = ""


@dataclass(slots=True)
class _Aside:
    """A file that looks like a reference; its identity is None where it must be looked into again."""

    identity: Identity | None
    told: str


class Incubation:
    """The state machine. Stimuli are what was listed, looked at, examined, acknowledged, refused; they return events.

    `due` says what to look into now, `batch` what to register, `warnings` what a person should know.
    """

    def __init__(self, incubation_s: float = 1.0, give_up_s: float = 30.0) -> None:
        self.incubation_s = incubation_s
        self.give_up_s = max(give_up_s, 10 * incubation_s)
        self._known: dict[str, Identity] = {}
        self._candidates: dict[str, _Candidate] = {}
        self._ready: dict[str, _Candidate] = {}
        self._refused: dict[str, Identity] = {}
        self._aside: dict[str, _Aside] = {}
        self._misregistered: set[str] = set()
        self._present: dict[str, Identity] = {}
        self._unreadable: dict[str, str] = {}
        self._queue: list[tuple[float, str]] = []
        self.away = ""
        """Why the data directory is away, "" where it is there; while it is away, no file counts as gone."""

    @property
    def incubating(self) -> int:
        """How many files are not whole yet."""
        return len(self._candidates)

    @property
    def waiting(self) -> int:
        """How many whole files the scheduler has not acknowledged."""
        return len(self._ready)

    @property
    def warnings(self) -> list[str]:
        """What a person should know of the files that are there now."""
        return [*([self.away] if self.away else []), *self._told_aside()]

    def _told_aside(self) -> list[str]:
        paths = sorted(self._aside)
        if len(paths) <= _MOST_TOLD:
            return [self._aside[path].told for path in paths]
        shown = ", ".join(paths[:_MOST_TOLD])
        return [
            f"{len(paths)} files look like references, not taken: {shown}, …; "
            "if they are movies, add a pattern with the word in their names to import.patterns"
        ]

    def some_present(self) -> list[FoundFile]:
        """A few files that were there at the last look, or are registered."""
        files = self._present or self._known
        return [FoundFile(path, *identity) for path, identity in islice(files.items(), _MOST_LOOKED_FOR)]

    def learn(self, files: Iterable[FoundFile]) -> None:
        """These files are registered already: they are neither incubated nor registered again."""
        for file in files:
            self._known[file.path] = (file.size, file.mtime_ns)

    def forget(self) -> None:
        """The scheduler has begun a new state: nothing counts as registered until it is learnt again."""
        self._known.clear()
        self._refused.clear()

    def narrow(self, counts: Callable[[str], bool]) -> None:
        """Other files count from now on: one that is no longer listed has not vanished. References are judged anew."""
        self._present = {}
        for paths in (self._candidates, self._ready, self._aside):
            for path in [path for path in paths if not counts(path)]:
                paths.pop(path)
        for aside in self._aside.values():
            aside.identity = None

    def listed(self, listing: Listing, now: float) -> list[Notice]:
        """A whole scan of the data directory; one that found it away tells nothing of its files."""
        if listing.away:
            return self._report_unreadable({".": listing.away})
        if self.away:
            return []
        notices = self._report_unreadable(listing.unreadable)
        notices += self._leave_out(listing.named)
        for path in self._present.keys() - listing.files.keys():
            if not _beneath(path, listing.unreadable):
                notices += self._gone(path)
        for path in (self._candidates.keys() | self._aside.keys()) - listing.files.keys():
            if not _beneath(path, listing.unreadable):
                notices += self._gone(path)
        known = self._known
        for path in [path for path in self._candidates if known.get(path, ()) == listing.files.get(path)]:
            del self._candidates[path]  # it is again as it was registered
        fresh = [(identity[1], path) for path, identity in listing.files.items() if known.get(path) != identity]
        for _, path in sorted(fresh):  # the order of recording, as far as times tell
            notices += self._observed(path, listing.files[path], now)
        self._present = listing.files
        return notices

    def looked(self, found: Mapping[str, Identity | None], now: float) -> list[Notice]:
        """A look at single paths, after a hint of the watcher."""
        notices: list[Notice] = []
        if self.away:
            return notices
        for path, identity in found.items():
            if identity is not None:
                notices += self._observed(path, identity, now)
            elif path in self._present or path in self._candidates or path in self._ready:
                notices += self._gone(path)
        return notices

    def due(self, now: float, limit: int) -> list[str]:
        """Paths that have been stable long enough to be looked into, at most `limit`; each is given out once."""
        paths: list[str] = []
        while not self.away and self._queue and self._queue[0][0] <= now and len(paths) < limit:
            due, path = heapq.heappop(self._queue)
            candidate = self._candidates.get(path)
            if candidate is not None and candidate.due == due and not candidate.examining:
                candidate.examining = True
                paths.append(path)
        return paths

    def examined(self, path: str, found: Examined, now: float) -> list[Notice]:
        """What a look into a file that was due has found."""
        candidate = self._candidates.get(path)
        if candidate is None:
            return []
        changed, candidate.examining, candidate.changed = candidate.changed, False, False
        if found.unreadable:
            self._recheck(path, candidate, now)
            return self._report_unreadable({**self._unreadable, path: found.unreadable})
        self._unreadable.pop(path, None)
        if self.away:
            self._recheck(path, candidate, now)
            return []
        if found.identity is None:
            return self._gone(path)
        if found.identity != candidate.identity:
            return self._observed(path, found.identity, now)
        if found.named:
            self._forget(path)
            return []
        if changed:
            self._schedule(path, candidate, max(now, candidate.since + self.incubation_s))
            return []
        if found.reference:
            return self._set_aside(path, candidate, found.reference)
        if not found.fault:
            return self._whole(path, candidate)
        if now - candidate.since >= self.give_up_s:
            return self._whole(path, candidate, found.fault)
        self._recheck(path, candidate, now)
        if found.fault == candidate.fault:
            return []
        candidate.fault = found.fault
        return [Notice("file.incubating", path, found.fault)]

    def batch(self, limit: int = MOST_AT_ONCE) -> list[FoundFile]:
        """The next files to register, at most `limit` and what one message holds. They stay until acknowledged."""
        files: list[FoundFile] = []
        length = 0
        for path, candidate in self._ready.items():
            length += len(path.encode()) + _BYTES_BESIDE_PATH
            if len(files) == limit or (files and length > _BATCH_BYTES):
                break
            files.append(FoundFile(path, *candidate.identity))
        return files

    def seen_s(self, files: Iterable[FoundFile], now: float) -> list[float]:
        """How many seconds ago each file of a `batch` was seen first."""
        return [round(now - self._ready[file.path].seen, 3) for file in files]

    def acknowledged(self, files: Iterable[FoundFile]) -> None:
        """The scheduler has stored these."""
        self._settle(files, self._known)

    def refused(self, file: FoundFile, reason: str) -> list[Notice]:
        """The scheduler will never take this file as it is; it is not offered again until it changes."""
        self._settle([file], self._refused)
        return [Notice("file.unreadable", file.path, f"refused by the scheduler: {reason}")]

    def _settle(self, files: Iterable[FoundFile], place: dict[str, Identity]) -> None:
        for file in files:
            identity = (file.size, file.mtime_ns)
            place[file.path] = identity
            if (ready := self._ready.get(file.path)) is not None and ready.identity == identity:
                del self._ready[file.path]

    def _observed(self, path: str, identity: Identity, now: float) -> list[Notice]:
        self._present[path] = identity
        aside = self._aside.get(path)
        judged = aside.identity if aside is not None else None
        ready = self._ready.get(path)
        offered = ready.identity if ready is not None else None
        if identity in (self._known.get(path), offered, self._refused.get(path), judged):
            # It is again as it was when it was registered or judged.
            self._candidates.pop(path, None)
            return []
        candidate = self._candidates.get(path)
        if candidate is None:
            self._ready.pop(path, None)
            seen, due = now if ready is None else ready.seen, now + self.incubation_s
            candidate = self._candidates[path] = _Candidate(identity, seen, now, self.incubation_s, due)
            heapq.heappush(self._queue, (candidate.due, path))
            again = "replaced in place" if path in self._known else ""
            return [Notice("file.seen", path, again), Notice("file.incubating", path, again)]
        if candidate.identity != identity:
            candidate.identity, candidate.since, candidate.fault = identity, now, ""
            candidate.recheck_s = self.incubation_s
            if candidate.examining:
                candidate.changed = True
            else:
                self._schedule(path, candidate, now + self.incubation_s)
        return []

    def _recheck(self, path: str, candidate: _Candidate, now: float) -> None:
        """Look again after a time that doubles, but not later than the time to give up."""
        candidate.recheck_s = min(2 * candidate.recheck_s, max(LONGEST_RECHECK_S, self.incubation_s))
        give_up = candidate.since + self.give_up_s
        due = now + candidate.recheck_s
        self._schedule(path, candidate, min(due, give_up) if give_up > now else due)

    def _schedule(self, path: str, candidate: _Candidate, due: float) -> None:
        candidate.due = due
        heapq.heappush(self._queue, (due, path))

    def _whole(self, path: str, candidate: _Candidate, fault: str = "") -> list[Notice]:
        del self._candidates[path]
        self._aside.pop(path, None)
        self._ready[path] = candidate
        return [Notice("file.ready", path, fault)]

    def _set_aside(self, path: str, candidate: _Candidate, reason: str) -> list[Notice]:
        """It looks like a reference: not registered, told once."""
        del self._candidates[path]
        before, told = self._aside.get(path), _not_taken(path, reason)
        self._aside[path] = _Aside(candidate.identity, told)
        return [] if before is not None and before.told == told else [Notice("file.reference", path, told)]

    def _leave_out(self, named: Set[str]) -> list[Notice]:
        """Settings name these: no movies from now on. What is registered stays so; that is told once."""
        for path in named:
            self._forget(path)
        misregistered = {path for path in named if path in self._known}
        new = sorted(misregistered - self._misregistered)
        self._misregistered = misregistered
        return [Notice("file.reference", path, _misregistered(path)) for path in new]

    def _gone(self, path: str) -> list[Notice]:
        self._forget(path)
        return [Notice("file.vanished", path)]

    def _forget(self, path: str) -> None:
        for paths in (self._present, self._candidates, self._ready, self._refused, self._aside, self._unreadable):
            paths.pop(path, None)

    def _report_unreadable(self, unreadable: Mapping[str, str]) -> list[Notice]:
        """Each path once for as long as it cannot be read. Files that could be listed but not opened stay reported."""
        notices = [
            Notice("file.unreadable", path, reason)
            for path, reason in unreadable.items()
            if self._unreadable.get(path) != reason
        ]
        kept = {path: reason for path, reason in self._unreadable.items() if path in self._candidates}
        self._unreadable = {**kept, **unreadable}
        return notices


def _not_taken(path: str, reason: str) -> str:
    name = path.rpartition("/")[2]
    return f"looks like a reference, not taken: {path} ({reason}); if it is a movie, add {name!r} to import.patterns"


def _misregistered(path: str) -> str:
    return (
        f"a setting names {path}, which was registered as a movie before; it stays in the list, "
        f"to take it out: warpcore select exclude {movie_root(path)}"
    )


def _beneath(path: str, folders: Mapping[str, str]) -> bool:
    """Whether a path is, or lies in, one of these."""
    if not folders:
        return False
    if "." in folders or path in folders:
        return True
    parts = path.split("/")
    return any("/".join(parts[:depth]) in folders for depth in range(1, len(parts)))
