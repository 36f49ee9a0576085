"""Any sequence of stimuli keeps the invariants: no movie lost, none on two workers, each lease counted once."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from tests.services.scheduler_stories import NAMES, PATCHES, PATHS, PLACES, TOLD, WORKERS, SchedulerStories
from warpcore.bus.vocabulary import Order, Selection

TestSchedulerStories = SchedulerStories.TestCase
TestSchedulerStories.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


class BusySession:
    """Plays a story with the odds of a session that works most of the time, so that it gets far."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.story = SchedulerStories()
        self.story.start(None, set(PATHS), {"w1", "w2"}, self.dice.choice((5000, 1)))

    def rarely(self) -> bool:
        return self.dice.random() < 0.15

    def pick(self) -> int:
        return self.dice.randrange(1000)

    def worker(self) -> str:
        return self.dice.choice(WORKERS)

    def some_names(self) -> list[str]:
        return self.dice.sample(NAMES, self.dice.randint(1, 3))

    def some_places(self) -> list[tuple[float, float]]:
        return self.dice.sample(PLACES, self.dice.randint(0, 2))

    def happen(self) -> None:
        """Let one thing happen, and check all."""
        if self.story.state.paused and not self.rarely():
            self.story.pause(False)
        events = [*self.always(), *(self.with_leases() if self.story.state.tasks else ())]
        (event,) = self.dice.choices([event for _, event in events], [weight for weight, _ in events])
        event()
        self.story.holds()
        self.story.nobody_idles_beside_work()

    def with_leases(self) -> list[tuple[int, Callable[[], object]]]:
        story, choice, rarely, pick = self.story, self.dice.choice, self.rarely, self.pick
        kinds = ("input", "resource", "bad_gpu", "internal", "internal")
        ends = ("well", "well", "later", "again", "broken")
        deaths = ("lost_worker", "lost_worker", "resource", "bad_gpu")
        return [
            (30, lambda: story.work(choice((3.0, 3.0, 4.5, 8.0)))),
            (10, lambda: story.finish(pick(), rarely(), 4.0, rarely(), choice(ends))),
            (8, lambda: story.progress(pick(), rarely())),
            (5, lambda: story.fail(pick(), rarely(), choice(kinds))),
            (5, lambda: story.compute_dies(pick(), choice(deaths), not rarely())),
            (1, lambda: story.undelivered(pick())),
        ]

    def always(self) -> list[tuple[int, Callable[[], object]]]:
        story, choice, rarely, pick = self.story, self.dice.choice, self.rarely, self.pick
        steps = ("motion", "ctf", "picking", "export")
        waits, selections = (0.5, 11.0, 31.0, 31.0, 1900.0), (None, Selection.AUTO, *Selection)
        events: list[tuple[int, Callable[[], object]]] = [
            (8, lambda: story.change_settings(choice(PATCHES), "gain:1" if rarely() else "")),
            (6, lambda: story.register(self.worker(), rarely(), not rarely())),
            (5, lambda: story.time_passes(choice(waits), {self.worker()} if rarely() else set())),
            (4, lambda: story.export(choice(("micrographs", "particles")), choice((None, None, ["a", "b"])))),
            (
                4,
                lambda: story.choose(
                    choice(NAMES), choice(selections), choice((None, 0, 1)), choice((None, False, True))
                ),
            ),
            (3, lambda: story.files({choice(PATHS)}, choice((100, 100, 200)), choice(TOLD))),
            (2, lambda: story.select_many(choice(list(Selection)), self.some_names(), pick(), rarely())),
            (1, lambda: story.retry_many(choice((None, "input", "internal")), rarely())),
            (1, lambda: story.forget(choice(NAMES))),
            (2, lambda: story.edit_picks(choice(NAMES), self.some_places())),
            (1, lambda: story.undo_picks(choice(NAMES))),
            (2, lambda: story.start_try(choice(NAMES), choice(PATCHES))),
            (1, lambda: story.profile(choice(("krios", "glacios")), rarely())),
            (1, lambda: story.order(choice(list(Order)))),
            (2, story.restart),
            (2, lambda: story.outputs_vanish(pick(), choice(steps))),
            (1, lambda: story.goodbye(self.worker())),
            (1, lambda: story.pause(True)),
            (2, story.read_everything),
        ]
        if story.state.tries:
            events.append((1, lambda: story.delete_try(pick())))
        if story.state.selections:
            events.append((2, lambda: story.undo_selection(pick())))
        if story.placements:
            events.append((8, lambda: story.placed(choice(("well", "well", "well", "again", "broken")))))
        if story.restores:
            events.append((8, lambda: story.restored(choice(("well", "well", "well", "gone", "broken")))))
        if story.state.exports:
            events.append((2, lambda: story.end_export(pick(), rarely())))
            events.append((1, lambda: story.delete_export(pick())))
        if story.removals:
            events.append((4, lambda: story.removed(rarely())))
        return events


@pytest.mark.parametrize("seed", range(25))
def test_long_stories_of_a_busy_session(seed: int) -> None:
    session = BusySession(seed)
    try:
        for _ in range(400):
            session.happen()
        assert session.story.finished, "the story went somewhere"
    finally:
        session.story.teardown()
