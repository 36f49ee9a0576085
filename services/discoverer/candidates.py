"""Files that are not whole yet, and when each is to be looked into next. Times are monotonic seconds."""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from warpcore.bus.messages import Acquisition, FoundFile, Header
from warpcore.services.discoverer.listing import Identity

LONGEST_RECHECK_S = 5.0


@dataclass(slots=True)
class Candidate:
    """A file that may become a movie.

    `seen` is when it was seen first, `since` when it changed last, `due` when it is to be looked into; `changed`: while
    it was being examined. `again`: it is registered as it is, and its metadata alone are new.
    """

    identity: Identity
    seen: float
    since: float
    recheck_s: float
    due: float
    examining: bool = False
    changed: bool = False
    fault: str = ""
    again: bool = False
    header: Header | None = None
    acquisition: Acquisition | None = None

    def file(self, path: str) -> FoundFile:
        """What is registered."""
        return FoundFile(path, *self.identity, self.header, self.acquisition)


class Candidates(dict[str, Candidate]):
    """The candidates by path. One that is taken out, or scheduled anew, leaves its entry in the queue of times."""

    def __init__(self) -> None:
        super().__init__()
        self._queue: list[tuple[float, str]] = []

    def schedule(self, path: str, due: float) -> None:
        """Have a candidate looked into at that time, and at no other."""
        self[path].due = due
        heapq.heappush(self._queue, (due, path))

    def recheck(self, path: str, now: float, *, shortest_s: float, give_up_s: float) -> None:
        """Look again after a time that doubles, but not later than the time to give up."""
        candidate = self[path]
        candidate.recheck_s = min(2 * candidate.recheck_s, max(LONGEST_RECHECK_S, shortest_s))
        give_up = candidate.since + give_up_s
        due = now + candidate.recheck_s
        self.schedule(path, min(due, give_up) if give_up > now else due)

    def take_due(self, now: float, limit: int) -> list[str]:
        """Paths of those whose time has come, at most `limit`; each is given out once, and is `examining` then."""
        paths: list[str] = []
        while self._queue and self._queue[0][0] <= now and len(paths) < limit:
            due, path = heapq.heappop(self._queue)
            candidate = self.get(path)
            if candidate is not None and candidate.due == due and not candidate.examining:
                candidate.examining = True
                paths.append(path)
        return paths
