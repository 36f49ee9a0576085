"""A day of a microscope, with all times shortened: movies for some hours, none for as long, and faults in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pool_site import PoolWorld

from tests.waiting import crowd

LOOK_S = 0.25
LATEST_S = 120.0
"""How long after the day's end the last movies may be done."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at `hour` of the day, and, `minutes` later, what ends it. Times are those of the day."""

    name: str
    hour: float
    begin: Callable[[PoolWorld[Any]], object]
    minutes: float = 0.0
    end: Callable[[PoolWorld[Any]], object] = lambda world: None


@dataclass(frozen=True, slots=True)
class Day:
    """What a day came to, in the day's own time: latency from a movie that was found to its result, in minutes."""

    movies: int
    latency_median_min: float
    latency_p95_min: float
    worker_hours: float
    most_workers: int
    submissions: int
    faults: int


def live(
    world: PoolWorld[Any], *, speed: float, per_hour: float, hours: tuple[float, float], faults: Sequence[Fault]
) -> Day:
    """Let a day pass, `speed` times as fast: `per_hour` movies in the first of two spans of hours, none in the second.

    The running jobs are the workers that are paid for. A movie that is not done at the day's end is waited for.
    """
    found_at: dict[str, float] = {}
    due = sorted(
        [(fault.hour, fault.begin) for fault in faults]
        + [(fault.hour + fault.minutes / 60, fault.end) for fault in faults],
        key=lambda one: one[0],
    )
    worker_s, running, most = 0.0, 0, 0
    began = last = time.monotonic()
    day_s = sum(hours) * 3600 / speed
    all_movies = int(hours[0] * per_hour)
    while (now := time.monotonic()) - began < day_s or world.movies < all_movies or world.left():
        assert now - began < day_s + LATEST_S * crowd(), f"{world.left()} movies are not done\n{world.told()}"
        hour = (now - began) * speed / 3600
        worker_s, last = worker_s + running * (now - last), now
        for _, act in [one for one in due if one[0] <= hour]:
            act(world)
        due = [one for one in due if one[0] > hour]
        first = world.movies
        world.add_movies(int(min(hour, hours[0]) * per_hour) - first)
        found_at |= {f"m{number:05d}": time.time() for number in range(first, world.movies)}
        running = world.running(running)
        most = max(most, running)
        time.sleep(LOOK_S)
    done = world.done_at()
    minutes = np.array([done[name] - at for name, at in found_at.items()]) * speed / 60
    return Day(
        movies=world.movies,
        latency_median_min=float(np.median(minutes)),
        latency_p95_min=float(np.percentile(minutes, 95)),
        worker_hours=worker_s * speed / 3600,
        most_workers=most,
        submissions=world.submitted,
        faults=len(faults),
    )
