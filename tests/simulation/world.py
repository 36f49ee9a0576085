"""One session: its hosts, disks, processes and users, the faults that it meets, and its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tests.simulation import edges
from tests.simulation.checks import Checks
from tests.simulation.clock import BEGIN_S, Simulator
from tests.simulation.disk import FileSystem
from tests.simulation.faults import KINDS, Fault, schedule
from tests.simulation.hosts import Host
from tests.simulation.microscope import Microscope
from tests.simulation.network import FAIR, Network, Ports
from tests.simulation.part import Broken, Part
from tests.simulation.scheduler import Scheduler
from tests.simulation.services import Discoverer, Tracker
from tests.simulation.user import User
from tests.simulation.worker import Worker
from warpcore.bus.vocabulary import FailureKind, StoragePlace
from warpcore.services.tracker.service import LOOK_EVERY_S as TRACKER_LOOKS_EVERY_S

HEALED_AT_S = 100.0
"""Until then at the latest faults and what they have begun go on."""
RECORDED_S = 30.0
"""By then the microscope has written all movies."""
MOST_AFTER_S = 400.0
"""So long after the last fault all must be done."""
QUIET_S = TRACKER_LOOKS_EVERY_S + 4.0
"""So long all must stay done, so that files are written and late messages have come."""
LOOK_EVERY_S = 2.0


@dataclass
class Outcome:
    """How a run went. `broken` is the first invariant that did not hold, "" where all did."""

    seed: int
    faults: list[Fault]
    broken: str = ""
    digest: str = ""
    simulated_s: float = 0.0
    frames: int = 0
    lines: list[str] = field(default_factory=list)


class World:
    """A session made from a seed. `later` is for what ends a fault."""

    def __init__(self, seed: int) -> None:
        self.simulator = Simulator(seed)
        chance = self.simulator.stream("session")
        self.network = Network(self.simulator)
        self.disks = {place: FileSystem(self.simulator) for place in (StoragePlace.DATA, StoragePlace.PROCESSING)}
        self.disks[StoragePlace.PROCESSING].make_folder(".warpcore")
        names = [f"m{number}.tif" for number in range(1, chance.randint(3, 8) + 1)]
        self.movies = names
        self.microscope = Microscope(self.simulator, self.disks[StoragePlace.DATA], names)
        head = self._host("head")
        self.ports = Ports(self.network, head.name)
        self.checks = Checks(self)
        self.user = User(self.simulator, head, self.ports)
        self.scheduler = Scheduler(self.simulator, head, self.ports, self.checks.decided, self.checks.round)
        self.discoverer = Discoverer(self.simulator, head)
        self.tracker = Tracker(self.simulator, self._host("desk"), self.ports)
        self.parts: dict[str, Part] = {
            "scheduler": self.scheduler,
            "discoverer": self.discoverer,
            "tracker": self.tracker,
        }
        self.workers: list[Worker] = []
        for number in range(1, chance.randint(2, 3) + 1):
            self._worker(f"w{number}")
        self.power_cuts = 0
        self._twins = 0
        self._ends_at = 0.0

    @property
    def worker_names(self) -> list[str]:
        """The names that workers have."""
        return sorted({worker.worker_name for worker in self.workers})

    def worker(self, name: str) -> Worker:
        """The worker that had the name first."""
        return next(worker for worker in self.workers if worker.name == name)

    def twin(self, name: str) -> Worker:
        """Another worker of the same name, on a host of its own."""
        self._twins += 1
        return self._worker(name, self._twins)

    def with_children(self, name: str) -> list[Part]:
        """A part and the process that it has started."""
        part = self.parts[name]
        compute = part.compute if isinstance(part, Worker) else None
        return [part] if compute is None else [part, compute]

    def hosts_of(self, target: str) -> list[Host]:
        """The hosts that a fault means: `all`, or that of one worker."""
        if target == "all":
            return list({part.host.name: part.host for part in [*self.parts.values(), self.user]}.values())
        return [self.worker(target).host]

    def later(self, seconds: float, action: Callable[[], object]) -> None:
        """Do this later, but before all is healed."""
        left_s = BEGIN_S + HEALED_AT_S - self.simulator.now
        self._ends_at = max(self._ends_at, self.simulator.now + min(seconds, left_s))
        self.simulator.after(min(seconds, left_s), lambda: action() and None)

    def start(self, part: Part) -> None:
        """Start a process again; a scheduler waits until its folders are there."""
        away = any(part.host.mounts[place] is not disk or disk.error for place, disk in self.disks.items())
        if part is self.scheduler and away:
            self.later(2.0, lambda: self.start(part))
        else:
            part.start()

    def mount(self, target: str, place: StoragePlace) -> None:
        """A mount is back."""
        for host in self.hosts_of(target):
            host.mount(place)

    def run(self, faults: Sequence[Fault]) -> str:
        """Let the session run, with these faults; returns the invariant that did not hold, "" where all did."""
        self.disks[StoragePlace.PROCESSING].keeps_journal = any(fault.kind == "power" for fault in faults)
        try:
            for part in [*self.parts.values(), self.user]:
                part.start()
            for fault in faults:
                self.simulator.after(fault.at_s, lambda fault=fault: self._begin(fault))  # type: ignore[misc]
            self.simulator.run(BEGIN_S + RECORDED_S)
            for fault in faults:
                self.simulator.run(BEGIN_S + fault.at_s)
            self.simulator.run(self._ends_at)
            self._heal()
            self._wait_for_the_end()
            self.checks.end()
        except Broken as broken:
            return str(broken)
        return ""

    def _begin(self, fault: Fault) -> None:
        self.simulator.note(f"fault {fault}")
        KINDS[fault.kind].begin(self, fault)

    def _heal(self) -> None:
        """No more faults: all is there again, and runs."""
        self.simulator.note("all is well again")
        self.network.weather, self.network.cut_off = FAIR, set()
        for disk in self.disks.values():
            disk.recover()
        for part in [*self.parts.values(), self.user]:
            for place in self.disks:
                part.host.mount(place)
            part.steps_left = None
            part.go_on()
            part.start()

    def _wait_for_the_end(self) -> None:
        """Until all is done and stays so. A user tries poisoned movies again. Raises Broken where it does not end."""
        quiet_since = None
        deadline = self.simulator.now + MOST_AFTER_S
        while quiet_since is None or self.simulator.now - quiet_since < QUIET_S:
            self.simulator.run(self.simulator.now + LOOK_EVERY_S)
            waiting = self.checks.who_waits()
            if not waiting and self._has_poisoned():
                self.user.retry()
                waiting = "the user"
            if waiting:
                quiet_since = None
            elif quiet_since is None:
                quiet_since = self.simulator.now
            if self.simulator.now > deadline and waiting:
                raise Broken(f"waits for ever: {waiting}")

    def _has_poisoned(self) -> bool:
        failures = (movie.failure for movie in self.scheduler.state.movies.values())
        return any(failure is not None and failure.kind is FailureKind.POISONED for failure in failures)

    def _host(self, name: str) -> Host:
        return Host(self.simulator, name, self.disks)

    def _worker(self, name: str, number: int = 0) -> Worker:
        host = self._host(f"host of {name}+{number}" if number else f"host of {name}")
        worker = Worker(self.simulator, host, self.ports, name, number)
        self.parts[worker.name] = worker
        self.workers.append(worker)
        return worker


def run(seed: int, faults: list[Fault] | None = None, *, kinds: Iterable[str] = KINDS, trace: bool = False) -> Outcome:
    """Run the session of a seed with its own faults, of these kinds, or with others."""
    world = World(seed)
    if faults is None:
        faults = schedule(world.simulator.stream("faults"), world.worker_names, world.movies, kinds)
    if trace:
        world.simulator.lines = []
    with edges.simulated(world.simulator, world.ports):
        broken = world.run(faults)
    simulator = world.simulator
    return Outcome(
        seed, faults, broken, simulator.digest, simulator.now - BEGIN_S, world.network.frames, simulator.lines or []
    )
