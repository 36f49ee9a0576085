"""What the running service counts for monitoring, from its stimuli and effects; nothing of it is stored."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.scheduler.core.effects import Effect, Publish
from warpcore.services.scheduler.core.stimuli import Stimulus, StorageLooked
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.run import stages

STEP_BOUNDS_S = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
COMMIT_BOUNDS_S = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


class Tally:
    """A histogram that is filled: counts of values by the first bound that is not below them."""

    def __init__(self, name: str, bounds: Sequence[float]) -> None:
        self._name = name
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    @property
    def histogram(self) -> wire.Histogram:
        """What was counted so far."""
        return wire.Histogram(self._name, list(self._bounds), list(self._counts), self._total)


class Meters:
    """Counts and times since the service began. A worker's words count only where they are known ones."""

    def __init__(self) -> None:
        self.failures: Counter[str] = Counter({str(kind): 0 for kind in FailureKind})
        self.tasks_lost = 0
        self.disk_free_bytes: dict[str, int] = {}
        self.commits = Tally("commit", COMMIT_BOUNDS_S)
        self.steps = {stage: Tally(stage, STEP_BOUNDS_S) for stage in stages(CHAIN.names)}

    def note(self, stimulus: Stimulus, effects: Iterable[Effect]) -> None:
        """Take in a decision."""
        if isinstance(stimulus, StorageLooked):
            if stimulus.look.free_bytes is not None:
                self.disk_free_bytes[str(stimulus.place)] = stimulus.look.free_bytes
            else:
                self.disk_free_bytes.pop(str(stimulus.place), None)
        for effect in effects:
            if isinstance(effect, Publish):
                self._note_event(effect)

    def _note_event(self, event: Publish) -> None:
        match event.topic:
            case "task.finished":
                for stage, seconds in event.body["seconds"].items():
                    if stage in self.steps and seconds:  # a step without a computation of its own has no time
                        self.steps[stage].add(seconds)
            case "task.lost":
                self.tasks_lost += 1
            case "movie.failed" | "movie.added":
                if failure := event.body["movie"]["failure"]:
                    self.failures[str(failure["kind"])] += 1
