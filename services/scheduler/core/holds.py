"""Storage in the scheduler: how the session's folders are, and whether the session holds because of them.

While it holds, nothing is assigned. A hold comes from looks at the folders and from workers that met a full disk; it
ends by itself. A failure of the storage counts against no movie, unless others go well where it alone does not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from warpcore.bus.vocabulary import StorageCondition, StoragePlace
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.storage.looking import KnownFile
from warpcore.services.storage.standing import Look, Needs, Standing, judged

FIRST_PAUSE_S = 3.0
"""Longer than the time between two looks, so that a look after the report decides."""
LONGEST_PAUSE_S = 60.0
VALID_TOKENS = 150
"""A network file system may show what lay there minutes ago; with a token every 2 s these are those of 5 min."""


def longer(pause_s: float) -> float:
    """The pause after one that did not help; 0 where there was none."""
    return min(2 * pause_s, LONGEST_PAUSE_S) or FIRST_PAUSE_S


@dataclass(slots=True)
class Storage:
    """What this run knows of the session's folders; nothing of it is stored.

    `tokens` are those that lay in the processing directory lately and the one that comes next, newest last. `anchor` is
    the path of a movie that lay in the data directory at the last look, "" where none was seen; `anchored`: that look
    sought one. `references` are the files that settings name, as last seen, by path; None until they are looked for.
    `done` counts tasks that went well. `reported` is what a worker said of a full disk, "" where none did.
    """

    standings: dict[StoragePlace, Standing] = field(default_factory=dict)
    tokens: deque[str] = field(default_factory=lambda: deque(maxlen=VALID_TOKENS))
    anchor: str = ""
    anchored: bool = False
    references: dict[str, KnownFile] | None = None
    done: int = 0
    reported: str = ""
    _reported_until: float = 0.0
    _pause_s: float = FIRST_PAUSE_S
    _done_at_report: int = -1

    def condition(self, place: StoragePlace) -> StorageCondition:
        """How a folder is; well until it was looked at."""
        return self.standings[place].condition if place in self.standings else StorageCondition.OK

    @property
    def holds(self) -> list[str]:
        """Why nothing is assigned now, one line a reason."""
        found = [standing for standing in self.standings.values() if standing.holds]
        told = [standing.text for standing in found]
        # The look has the better words for what the worker met.
        shown = any(standing.condition is StorageCondition.FULL for standing in found)
        return [*told, self.reported] if self.reported and not shown else told

    def looked(self, place: StoragePlace, path: str, look: Look, needs: Needs, now: float) -> None:
        """Take in a look at a folder. One that finds room ends what a worker has reported, after a pause."""
        self.standings[place] = judged(place, path, look, needs, self.condition(place))
        full = StorageCondition.FULL in (standing.condition for standing in self.standings.values())
        if place is StoragePlace.PROCESSING and not full and now >= self._reported_until:
            self.reported = ""

    def met_full(self, text: str, now: float) -> None:
        """A worker met a full disk. Where nothing was done since the last such report, the pause is twice as long."""
        if self.reported:
            return
        again = self.done == self._done_at_report
        self._pause_s = longer(self._pause_s) if again else FIRST_PAUSE_S
        self._done_at_report = self.done
        self.reported, self._reported_until = text, now + self._pause_s

    def speaks_against(self, movie: MovieRecord) -> bool:
        """Whether a movie's failure of the storage counts: tasks went well since its last one. Notes this one."""
        before, movie.storage_failed_at = movie.storage_failed_at, self.done
        return before is not None and self.done > before
