"""How the session goes, in one sentence."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from warpcore.bus.messages import Alarm
from warpcore.bus.vocabulary import ENDED, MovieStatus, Severity
from warpcore.services.scheduler.core import views
from warpcore.services.scheduler.core.alarms import current
from warpcore.services.scheduler.core.state import State
from warpcore.services.steps.chain import CHAIN

RESOLUTION = CHAIN.column["ctf.resolution_angstrom"]
MOST_TITLES = 3


@dataclass(frozen=True, slots=True)
class Going:
    """What the sentence is made of: counts of movies, those done in the last hour, and their median resolution, Å.

    `workers` are those that can be given movies, `blind` those that do not see the folders; `holds` says that none are
    given any, because of the storage.
    """

    paused: bool = False
    holds: bool = False
    found: int = 0
    left: int = 0
    ended: int = 0
    last_hour: int = 0
    workers: int = 0
    blind: int = 0
    resolution_angstrom: float | None = None
    alarms: Sequence[Alarm] = field(default_factory=tuple)


def going(state: State, left: int) -> Going:
    """What is known now; `left` movies run or wait."""
    lately = (state.movies[id] for id in state.last_hour.movies(state.wall))
    # Those that are to run again for new settings have been done all the same.
    done = [movie for movie in lately if movie.status != MovieStatus.FAILED]
    values = (RESOLUTION.value(views.valid_results(movie.results, state.plan.off)) for movie in done)
    resolutions = [value for value in values if value is not None]
    return Going(
        paused=state.paused,
        holds=bool(state.storage.holds),
        found=len(state.movies),
        left=left,
        ended=sum(state.counts[status] for status in ENDED),
        last_hour=len(done),
        workers=sum(worker.usable for worker in state.workers.values()),
        blind=sum(worker.alive and bool(worker.sight.problem) for worker in state.workers.values()),
        resolution_angstrom=statistics.median(resolutions) if resolutions else None,
        alarms=current(state),
    )


def sentence(now: Going) -> str:
    """`well: 212 movies in the last hour, median 3.4 Å; one alarm: ice thickness`. Acknowledged alarms do not count."""
    unseen = [alarm for alarm in now.alarms if not alarm.acknowledged]
    trouble = any(alarm.severity == Severity.CRITICAL for alarm in unseen)
    told = "; ".join(part for part in (_movies(now), _alarms(unseen)) if part)
    return f"{'trouble' if trouble else _word(now)}: {told}"


def _word(now: Going) -> str:
    if now.paused:
        return "paused"
    if now.holds:
        return "holding"
    if not now.found or _without_worker(now):
        return "waiting"
    return "well" if now.left or now.last_hour else "idle"


def _movies(now: Going) -> str:
    if not now.found:
        return "no movie was found yet"
    resolution = "" if now.resolution_angstrom is None else f", median {now.resolution_angstrom:.1f} Å"
    if _without_worker(now):
        return f"{_counted(now.left)} left, no worker {'sees the folders' if now.blind else 'runs'}"
    lately = f"{_counted(now.last_hour)} in the last hour{resolution}" if now.last_hour else ""
    if now.left and (now.paused or now.holds or not lately):
        waiting = f"{_counted(now.left)} left"
        return f"{waiting}, {lately or 'none done in the last hour'}"
    # Others may be held, as without a pixel size, or excluded: they count neither as done nor as left.
    done = "all" if now.ended == now.found else f"{now.ended} of"
    return lately or f"{done} {now.found} movies are done, none in the last hour"


def _without_worker(now: Going) -> bool:
    """Whether nothing begins for want of a worker. One that was there lately may come again: an alarm tells if not."""
    return bool(now.left) and not (now.workers or now.last_hour or now.paused or now.holds)


def _alarms(unseen: Sequence[Alarm]) -> str:
    if not unseen:
        return ""
    titles = ", ".join(alarm.title for alarm in unseen[:MOST_TITLES])
    more = f" and {len(unseen) - MOST_TITLES} more" if len(unseen) > MOST_TITLES else ""
    return f"{'one alarm' if len(unseen) == 1 else f'{len(unseen)} alarms'}: {titles}{more}"


def _counted(movies: int) -> str:
    return f"{movies} movie{'' if movies == 1 else 's'}"
