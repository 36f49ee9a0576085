"""A pure scheduler with a clock, for tests that state its rules."""

from __future__ import annotations

from typing import Any

from tests.services.memory_files import MemoryFiles
from tests.services.reports import made, whole, write_staged
from warpcore.bus import messages as wire
from warpcore.bus.schema import Message, read_message
from warpcore.services.scheduler.core.effects import Effect, PlaceOutputs, Publish, Reply, SaveSettings, Send
from warpcore.services.scheduler.core.invariants import validate
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import (
    ChangeSettings,
    FromControl,
    FromWorker,
    OutputsPlaced,
    Started,
    Stimulus,
    Tick,
)
from warpcore.services.scheduler.store.database import Store
from warpcore.services.session.placing import place
from warpcore.services.session.settings import Settings, patch_settings
from warpcore.services.steps.step import INPUT

CHAIN = ["motion", "ctf", "export"]


RESULTS = whole(
    {
        "motion": {"mean_frame_movement_angstrom": 1.0},
        "ctf": {"defocus_um": 2.7, "resolution_angstrom": 4.0},
        "picking": {"count": 30},
        "export": {"average": "average/x.mrc"},
    }
)


def arrived(message: Message) -> Message:
    """The message as it comes over the wire, with the words of the vocabulary."""
    return read_message(message.TYPE, message.to_body())


class World:
    """A state with a clock, and a disk on which outputs are placed at once, unless it `stands` still.

    Former outputs are kept only where it `keeps` them. What it sends and publishes is remembered.
    """

    def __init__(self, *paths: str, settings: Settings | None = None, workers: tuple[str, ...] = ()) -> None:
        self.now = 1000.0
        self.state = State(
            settings or Settings(), data_directory="/data", processing_directory="/processing", epoch="e"
        )
        self.tasks: dict[str, wire.AssignTask] = {}
        self.cancelled: list[int] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.store: Store | None = None
        self.disk = MemoryFiles()
        self.stands = self.keeps = False
        self.do(Started(""))
        if paths:
            self.files(*paths)
        for name in workers:
            self.worker(name)

    def do(self, stimulus: Stimulus) -> list[Effect]:
        effects = handle(self.state, stimulus, self.now, wall=self.now)
        validate(self.state)
        if self.store is not None:
            self.store.stage(effects)
        for effect in effects:
            if isinstance(effect, Publish):
                self.events.append((effect.topic, effect.body))
            if isinstance(effect, Send) and isinstance(effect.message, wire.AssignTask):
                self.tasks[effect.message.name] = effect.message
            if isinstance(effect, Send) and isinstance(effect.message, wire.CancelTask):
                self.cancelled.append(effect.message.lease)
        if not self.stands:
            for effect in [effect for effect in effects if isinstance(effect, PlaceOutputs)]:
                effects += self.place(effect)
        return effects

    def place(self, effect: PlaceOutputs) -> list[Effect]:
        """Place the outputs of a task."""
        kept = place(self.disk, effect.placement)
        return self.do(OutputsPlaced(effect.lease, kept if self.keeps else []))

    def store_into(self, store: Store) -> None:
        """From now on stage what is to be stored."""
        self.store = store
        settings = self.state.settings.to_dict()
        store.stage([SaveSettings(settings, self.state.revision, self.state.references)])

    def ask(self, message: Message) -> Any:
        return self.reply(self.do(FromControl(arrived(message))))

    def say(self, worker: str, message: Message, connection: str = "") -> list[Effect]:
        return self.do(FromWorker((connection or worker).encode(), arrived(message)))

    def reply(self, effects: list[Effect]) -> Any:
        (reply,) = [effect.message for effect in effects if isinstance(effect, Reply)]
        return reply

    def files(self, *paths: str, size: int = 100) -> Any:
        return self.ask(wire.RegisterFiles([wire.FoundFile(path, size, 5) for path in paths]))

    def worker(self, name: str, credit: int = 2, instance: str = "1", leases: tuple[int, ...] = ()) -> Any:
        """Register a worker; one of another instance has seen that the process of the one before has ended."""
        before = self.state.workers.get(name)
        replaces = before.instance if before is not None else ""
        message = wire.RegisterWorker(name, instance, "host", 1, "gpu", 8000, {}, list(leases), replaces)
        answer = self.reply(self.say(name, message))
        self.say(name, wire.PullTasks(name, credit))
        return answer

    def progress(self, name: str, step: str = "motion") -> None:
        task = self.tasks[name]
        self.say(self.owner(name), wire.TaskProgress(self.owner(name), task.lease, name, step, 0.5))

    def owner(self, name: str) -> str:
        return self.state.tasks[self.tasks[name].lease].worker

    def finish(self, name: str, worker: str = "", **results: dict[str, Any]) -> Any:
        task, worker = self.tasks[name], worker or self.owner(name)
        reported = {step: {**RESULTS[step], **results.get(step, {})} for step in task.run}
        reported |= {INPUT: results[INPUT]} if INPUT in results else {}
        return self.reply(self.report(worker, task, reported, made(*task.run)))

    def report(
        self, worker: str, task: wire.AssignTask, results: dict[str, Any], outputs: dict[str, dict[str, int | None]]
    ) -> list[Effect]:
        """Let a worker write outputs and report them; results that are not given were not measured."""
        write_staged(self.disk, task.lease, outputs)
        return self.say(worker, wire.TaskFinished(worker, task.lease, task.run, whole(results), outputs))

    def fail(self, name: str, kind: str, worker: str = "") -> None:
        worker = worker or self.owner(name)
        self.say(worker, wire.TaskFailed(worker, self.tasks[name].lease, kind, "ctf", "it went wrong"))

    def patch(self, **sections: dict[str, Any]) -> Any:
        settings = patch_settings(self.state.settings, sections)
        return self.reply(self.do(ChangeSettings(settings, self.state.references)))

    def wait(self, seconds: float, *beating: str) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 10.0)
            for name in beating:
                leases = list(self.state.workers[name].leases)
                self.say(name, wire.Heartbeat(name, "busy", leases))
            self.do(Tick())

    def movie(self, name: str) -> wire.Movie:
        movie = self.ask(wire.GetItem(name)).movie
        assert isinstance(movie, wire.Movie)
        return movie

    def status(self, name: str) -> str:
        return self.movie(name).status

    def topics(self) -> list[str]:
        return [topic for topic, _ in self.events]


def finished(*paths: str, settings: Settings | None = None) -> World:
    """A world with one worker `w` (credit 1) that has done these movies."""
    world = World(*paths, settings=settings)
    world.worker("w", credit=1)
    for path in paths:
        world.finish(path.rsplit(".", 1)[0])
    return world
