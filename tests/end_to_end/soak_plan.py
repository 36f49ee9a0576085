"""What the soak does next: drawn from a seed, without clocks and processes."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum

HEARTBEAT_TIMEOUT_S = 5.0
LONG_S, SHORT_S = 1.6 * HEARTBEAT_TIMEOUT_S, 2.0
"""How long a fault lasts: longer than a worker may be silent, or a moment."""
SHARE_OF_PAIRS = 0.3


class Hits(Enum):
    """Whom a fault concerns. A movie that has cost two workers is poisoned, so two faults never hit workers at once."""

    WORKERS = "workers"
    SERVICES = "services"
    STORAGE = "storage"
    MOVIES = "movies"
    ALL = "all"
    """It looks closely at what happens, so that nothing else may happen meanwhile."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault: whom it hits and how long it lasts, in seconds."""

    hits: Hits
    seconds: float = SHORT_S


FAULTS = {
    "kill scheduler": Fault(Hits.SERVICES),
    "kill tracker": Fault(Hits.SERVICES),
    "kill discoverer": Fault(Hits.SERVICES),
    "kill api": Fault(Hits.SERVICES),
    "kill nanny": Fault(Hits.WORKERS),
    "kill compute": Fault(Hits.WORKERS),
    "stop scheduler": Fault(Hits.SERVICES, LONG_S),
    "stop tracker": Fault(Hits.SERVICES, LONG_S),
    "stop discoverer": Fault(Hits.SERVICES, LONG_S),
    "stop api": Fault(Hits.SERVICES, LONG_S),
    "stop nanny": Fault(Hits.WORKERS, LONG_S),
    "stop compute": Fault(Hits.WORKERS, LONG_S),
    "stop worker": Fault(Hits.WORKERS, LONG_S),
    "cut connections": Fault(Hits.WORKERS),
    "stall connections": Fault(Hits.WORKERS, LONG_S),
    "fill disk": Fault(Hits.STORAGE),
    "unmount data": Fault(Hits.STORAGE, LONG_S),
    "replace input": Fault(Hits.MOVIES),
    "remove input": Fault(Hits.MOVIES, LONG_S),
    "change settings": Fault(Hits.MOVIES),
    "send garbage": Fault(Hits.MOVIES),
    "stale writer": Fault(Hits.ALL),
}
"""Every fault by its name."""


@dataclass(frozen=True, slots=True)
class Act:
    """Faults that begin one after the other, last for so many seconds together, and end in reverse."""

    faults: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """How long they last once all of them have begun."""
        return max(FAULTS[fault].seconds for fault in self.faults)


def acts(seed: int, without: Collection[str] = ()) -> Iterator[Act]:
    """Rounds without an end: each has every fault once, in another order; from the second on some come in pairs."""
    dice = random.Random(seed)
    names = sorted(set(FAULTS) - set(without))
    yield from (Act((name,)) for name in dice.sample(names, len(names)))
    while True:
        waiting = dice.sample(names, len(names))
        while waiting:
            first = waiting.pop()
            partner = next((name for name in waiting if _go_together(first, name)), None)
            if partner is not None and dice.random() < SHARE_OF_PAIRS:
                waiting.remove(partner)
                yield Act((first, partner))
            else:
                yield Act((first,))


def _go_together(one: str, other: str) -> bool:
    hits = {FAULTS[one].hits, FAULTS[other].hits}
    return len(hits) == 2 and Hits.ALL not in hits
