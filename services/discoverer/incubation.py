"""Decides when a file is whole and must be registered. No files, sockets or clocks; `now` is monotonic seconds.

A path is known (registered with this identity), incubating, set aside (it looks like no movie), refused by the
scheduler, or ready: it waits for the scheduler's acknowledgement.

A whole movie waits for its metadata (`awaiting`). A known one whose metadata come, or change, is looked into and
registered again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from itertools import islice

from warpcore.bus.messages import FoundFile
from warpcore.services.discoverer.awaiting import Awaiting, Verdict
from warpcore.services.discoverer.candidates import Candidate, Candidates
from warpcore.services.discoverer.examining import Examined
from warpcore.services.discoverer.listing import Identity, Listing, is_beneath, is_metadata
from warpcore.services.discoverer.not_taken import Notice, SetAside, Unreadable, misregistered
from warpcore.services.discoverer.ready import Ready

_MOST_LOOKED_FOR = 8


class Incubation:
    """The state machine. Stimuli are what was listed, looked at, examined, acknowledged, refused; they return events.

    `due` says what to look into now, `ready` what to register, `warnings` what a person should know.
    """

    def __init__(self, incubation_s: float = 1.0, give_up_s: float = 30.0) -> None:
        self.incubation_s = incubation_s
        self.give_up_s = max(give_up_s, 10 * incubation_s)
        self.awaiting = Awaiting(self.give_up_s)
        self.ready = Ready()
        self._known: dict[str, Identity] = {}
        self._candidates = Candidates()
        self._refused: dict[str, Identity] = {}
        self._aside = SetAside()
        self._misregistered: set[str] = set()
        self._cut_short: set[str] = set()
        """Registered files whose look for new metadata has not ended, since they were gone for a while or changed."""
        self._present: dict[str, Identity] = {}
        self._unreadable = Unreadable()
        self.away = ""
        """Why the data directory is away, "" where it is there; while it is away, no file counts as gone."""

    @property
    def incubating(self) -> int:
        """How many files are not whole yet."""
        return len(self._candidates)

    @property
    def waiting(self) -> int:
        """How many whole files the scheduler has not acknowledged."""
        return len(self.ready)

    @property
    def warnings(self) -> list[str]:
        """What a person should know of the files that are there now."""
        told = [*self._unreadable.told, *self._aside.references, *self.awaiting.pairing.warnings]
        return [self.away, *told] if self.away else told

    @property
    def notes(self) -> list[str]:
        """What is usual and calls for nothing.

        A line for all averages, one for all images of atlas and squares, and one for movies that wait for metadata.
        """
        return [*self._aside.usual, *self.awaiting.told(self._candidates)]

    def some_present(self) -> list[FoundFile]:
        """A few files that were there at the last look, or are registered."""
        files = self._present or self._known
        return [FoundFile(path, *identity) for path, identity in islice(files.items(), _MOST_LOOKED_FOR)]

    def learn(self, files: Iterable[FoundFile]) -> None:
        """These files are registered already: they are neither incubated nor registered again."""
        for file in files:
            self._known[file.path] = (file.size, file.mtime_ns)
            self.awaiting.registered(file)

    def forget(self) -> None:
        """The scheduler has begun a new state: nothing counts as registered until it is learnt again."""
        self._known.clear()
        self._refused.clear()
        self._cut_short.clear()
        self.awaiting.pairing.clear()

    def narrow(self, counts: Callable[[str], bool]) -> None:
        """Other files count from now on: one that is no longer listed has not vanished. References are judged anew."""
        self._present = {}
        for paths in (self._candidates, self.ready, self._aside):
            for path in [path for path in paths if not counts(path)]:
                paths.pop(path)
        for aside in self._aside.values():
            aside.identity = None

    def listed(self, listing: Listing, now: float) -> list[Notice]:
        """A whole scan of the data directory; one that found it away tells nothing of its files."""
        if listing.away:
            return self._report({".": listing.away})
        if self.away:
            return []
        notices = self._report(listing.unreadable)
        notices += self._leave_out(listing.named)
        for path in self._present.keys() - listing.files.keys():
            if not is_beneath(path, listing.unreadable):
                notices += self._gone(path)
        for path in (self._candidates.keys() | self._aside.keys()) - listing.files.keys():
            if not is_beneath(path, listing.unreadable):
                notices += self._gone(path)
        known = self._known
        for path, candidate in list(self._candidates.items()):
            if not candidate.again and known.get(path, ()) == listing.files.get(path):
                del self._candidates[path]  # it is again as it was registered
        fresh = [(identity[1], path) for path, identity in listing.files.items() if known.get(path) != identity]
        for _, path in sorted(fresh):  # the order of recording, as far as times tell
            notices += self._observed(path, listing.files[path], now)
        self._present = listing.files
        back = (self._cut_short & listing.files.keys()) - self._candidates.keys() - self.ready.keys()
        self._look_again(self.awaiting.pairing.listed(listing.metadata) | back, now)
        return notices

    def looked(self, found: Mapping[str, Identity | None], now: float) -> list[Notice]:
        """A look at single paths, after a hint of the watcher."""
        notices: list[Notice] = []
        if self.away:
            return notices
        for path, identity in found.items():
            if is_metadata(path):
                self._look_again(self.awaiting.pairing.looked(path, identity), now)
            elif identity is not None:
                notices += self._observed(path, identity, now)
            elif path in self._present or path in self._candidates or path in self.ready:
                notices += self._gone(path)
        return notices

    def due(self, now: float, limit: int) -> list[str]:
        """Paths that have been stable long enough to be looked into, at most `limit`; each is given out once."""
        return [] if self.away else self._candidates.take_due(now, limit)

    def examined(self, path: str, found: Examined, now: float) -> list[Notice]:
        """What a look into a file that was due has found."""
        candidate = self._candidates.get(path)
        if candidate is None:
            return []
        changed, candidate.examining, candidate.changed = candidate.changed, False, False
        if self.away:
            self._recheck(path, now)
            return []
        if found.unreadable:
            self._recheck(path, now)
            return self._report({**self._unreadable, path: found.unreadable})
        self._unreadable.pop(path, None)
        if found.identity is None:
            return self._gone(path)
        if found.identity != candidate.identity:
            return self._observed(path, found.identity, now)
        if found.named:
            self._forget(path)
            return []
        if changed:
            self._candidates.schedule(path, max(now, candidate.since + self.incubation_s))
            return []
        if found.no_movie is not None and not candidate.again:
            del self._candidates[path]
            return self._aside.add(path, candidate.identity, found.no_movie)
        if not found.fault:
            return self._with_metadata(path, candidate, found, now)
        if now - candidate.since >= self.give_up_s:
            return self._whole(path, candidate, found.fault)
        self._recheck(path, now)
        if found.fault == candidate.fault:
            return []
        candidate.fault = found.fault
        return [Notice("file.incubating", path, found.fault)]

    def acknowledged(self, files: Iterable[FoundFile]) -> None:
        """The scheduler has stored these."""
        for file in files:
            self._known[file.path] = (file.size, file.mtime_ns)
            self.ready.settle(file)
            self.awaiting.registered(file)
            self._cut_short.discard(file.path)
            candidate = self._candidates.get(file.path)
            if candidate is not None and candidate.identity == (file.size, file.mtime_ns):
                candidate.again = True  # its metadata have come meanwhile

    def refused(self, file: FoundFile, reason: str) -> list[Notice]:
        """The scheduler will never take this file as it is; it is not offered again until it changes."""
        self._refused[file.path] = (file.size, file.mtime_ns)
        self.ready.settle(file)
        return [Notice("file.unreadable", file.path, f"refused by the scheduler: {reason}")]

    def _observed(self, path: str, identity: Identity, now: float) -> list[Notice]:
        self._present[path] = identity
        aside = self._aside.get(path)
        judged = aside.identity if aside is not None else None
        ready = self.ready.get(path)
        offered = ready.identity if ready is not None else None
        if identity in (self._known.get(path), offered, self._refused.get(path), judged):
            # It is again as it was when it was registered or judged.
            if not self._is_looked_into_again(path, identity):
                self._candidates.pop(path, None)
            return []
        candidate = self._candidates.get(path)
        if candidate is None:
            self.ready.pop(path, None)
            self.awaiting.pairing.seek(path)
            seen, due = now if ready is None else ready.seen, now + self.incubation_s
            self._candidates[path] = Candidate(identity, seen, now, self.incubation_s, due)
            self._candidates.schedule(path, due)
            again = "replaced in place" if path in self._known else ""
            return [Notice("file.seen", path, again), Notice("file.incubating", path, again)]
        if candidate.identity != identity:
            if candidate.again:
                self._cut_short.add(path)
            candidate.identity, candidate.since, candidate.fault, candidate.again = identity, now, "", False
            candidate.recheck_s = self.incubation_s
            if candidate.examining:
                candidate.changed = True
            else:
                self._candidates.schedule(path, now + self.incubation_s)
        return []

    # --- metadata ---

    def _look_again(self, movies: Iterable[str], now: float) -> None:
        """Metadata of these movies are new, or others: those that are known or whole are looked into again."""
        for path in movies:
            candidate, ready = self._candidates.get(path), self.ready.pop(path, None)
            known = self._known.get(path)
            if candidate is None and ready is not None:
                candidate = self._candidates[path] = ready
            elif candidate is None and known is not None and self._present.get(path, known) == known:
                candidate = self._candidates[path] = Candidate(known, now, now, self.incubation_s, now, again=True)
            if candidate is not None and candidate.examining:
                candidate.changed = True
            elif candidate is not None:
                self._candidates.schedule(path, max(now + self.incubation_s, candidate.since + self.incubation_s))

    def _is_looked_into_again(self, path: str, identity: Identity) -> bool:
        candidate = self._candidates.get(path)
        return candidate is not None and candidate.again and candidate.identity == identity

    def _with_metadata(self, path: str, candidate: Candidate, found: Examined, now: float) -> list[Notice]:
        """A whole movie: register it, unless its metadata may still come, or are still being written."""
        read = found.metadata
        match self.awaiting.judge(path, candidate, read, now):
            case Verdict.RECHECK:
                self._recheck(path, now)
            case Verdict.WAIT:
                self._candidates.schedule(path, candidate.since + self.awaiting.wait_s)
            case Verdict.NOTHING_NEW:
                del self._candidates[path]
                self._cut_short.discard(path)
                return [Notice("file.unreadable", read.path, read.fault)] if read.fault else []
            case Verdict.REGISTER:
                candidate.header, candidate.acquisition = found.header, read.acquisition
                return self._whole(path, candidate, f"{read.path}: {read.fault}" if read.fault else "")
        return []

    # --- what becomes of a file ---

    def _recheck(self, path: str, now: float) -> None:
        self._candidates.recheck(path, now, shortest_s=self.incubation_s, give_up_s=self.give_up_s)

    def _whole(self, path: str, candidate: Candidate, fault: str = "") -> list[Notice]:
        del self._candidates[path]
        self._aside.pop(path, None)
        self.ready[path] = candidate
        return [Notice("file.ready", path, fault)]

    def _leave_out(self, named: Set[str]) -> list[Notice]:
        """Settings name these: no movies from now on. What is registered stays so; that is told once."""
        for path in named:
            self._forget(path)
        known = {path for path in named if path in self._known}
        new = sorted(known - self._misregistered)
        self._misregistered = known
        return [Notice("file.reference", path, misregistered(path)) for path in new]

    def _report(self, unreadable: Mapping[str, str]) -> list[Notice]:
        return self._unreadable.report(unreadable, self._candidates.keys())

    def _gone(self, path: str) -> list[Notice]:
        self._forget(path)
        return [Notice("file.vanished", path)]

    def _forget(self, path: str) -> None:
        if path in self._known and (path in self._candidates or path in self.ready):
            self._cut_short.add(path)
        for paths in (self._present, self._candidates, self.ready, self._refused, self._aside, self._unreadable):
            paths.pop(path, None)
        self.awaiting.forget(path)
        if path not in self._known:
            self.awaiting.pairing.forget(path)
