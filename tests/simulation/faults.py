"""What goes wrong, and when: a schedule from the seed, as plain data that can be written down and cut short."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.network import FAIR, Weather
from warpcore.bus.vocabulary import Selection, StoragePlace

if TYPE_CHECKING:
    from tests.simulation.world import World

FIRST_AT_S, LAST_AT_S = 3.0, 60.0
MOST_FAULTS = 9
WEATHERS = (
    Weather(lost=0.3),
    Weather(repeated=0.5),
    Weather(reordered=0.5, late_s=0.3),
    Weather(late_s=5.0, reordered=0.2),
    Weather(lost=0.2, repeated=0.2, reordered=0.3, late_s=1.0),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """At `at_s` something happens to `target`, for `seconds`; `detail` chooses among its forms."""

    at_s: float
    kind: str
    target: str
    seconds: float
    detail: int

    def __str__(self) -> str:
        return f"{self.kind}@{self.at_s:.2f}:{self.target}:{self.seconds:.2f}:{self.detail}"

    @classmethod
    def from_text(cls, text: str) -> Fault:
        """The fault that `str` gave."""
        head, target, seconds, detail = text.split(":")
        kind, _, at = head.partition("@")
        return cls(float(at), kind, target, float(seconds), int(detail))


def written(faults: Iterable[Fault]) -> str:
    """Faults as one line, for `read`."""
    return " ".join(map(str, faults))


def read(text: str) -> list[Fault]:
    """The faults that `written` has written."""
    return list(map(Fault.from_text, text.split()))


Begin = Callable[["World", Fault], None]
Targets = Callable[[Sequence[str], Sequence[str]], Sequence[str]]
"""What a kind of fault can mean, given the names of workers and of movies."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of fault begins; `targets` of a world, the longest time, and how often it is drawn."""

    begin: Begin
    targets: Targets
    longest_s: float
    weight: int


KINDS: dict[str, Kind] = {}
SERVICES = ("scheduler", "discoverer", "tracker")


def _services(workers: Sequence[str], movies: Sequence[str]) -> Sequence[str]:
    return (*SERVICES, "scheduler", *workers)


def _workers(workers: Sequence[str], movies: Sequence[str]) -> Sequence[str]:
    return workers


def _movies(workers: Sequence[str], movies: Sequence[str]) -> Sequence[str]:
    return movies


def _hosts(workers: Sequence[str], movies: Sequence[str]) -> Sequence[str]:
    return ("all", *workers)


def _session(workers: Sequence[str], movies: Sequence[str]) -> Sequence[str]:
    return ("session",)


def fault(name: str, targets: Targets, longest_s: float, weight: int = 2) -> Callable[[Begin], Begin]:
    """Decorator: this function lets a kind of fault begin."""

    def register(begin: Begin) -> Begin:
        KINDS[name] = Kind(begin, targets, longest_s, weight)
        return begin

    return register


def schedule(
    chance: random.Random, workers: Sequence[str], movies: Sequence[str], kinds: Iterable[str] = KINDS
) -> list[Fault]:
    """Faults of these kinds for one session, in order."""
    names = list(kinds)
    drawn = chance.choices(names, [KINDS[name].weight for name in names], k=chance.randint(1, MOST_FAULTS))
    found = []
    for name in drawn:
        kind = KINDS[name]
        at = round(chance.uniform(FIRST_AT_S, LAST_AT_S), 2)
        seconds = round(chance.uniform(0.2, kind.longest_s) ** chance.choice((1.0, 0.5)), 2)
        found.append(Fault(at, name, chance.choice(kind.targets(workers, movies)), seconds, chance.randint(0, 400)))
    return sorted(found, key=lambda one: one.at_s)


# --- processes ---------------------------------------------------------------------------------------------------


@fault("kill", _services, 20.0, weight=5)
def kill(world: World, fault: Fault) -> None:
    """SIGKILL, and a new start."""
    part = world.parts[fault.target]
    part.kill()
    world.later(fault.seconds, lambda: world.start(part))


@fault("die", _services, 10.0, weight=5)
def die(world: World, fault: Fault) -> None:
    """It dies within a round: after so many steps that others can see."""
    part = world.parts[fault.target]
    part.steps_left = fault.detail % 60
    world.later(fault.seconds, lambda: world.start(part))
    world.later(2 * fault.seconds + 10.0, lambda: world.start(part))


@fault("stop", _services, 50.0, weight=4)
def stop(world: World, fault: Fault) -> None:
    """SIGSTOP of a process and its children, and SIGCONT."""
    parts = world.with_children(fault.target)
    for part in parts:
        part.stop()
    world.later(fault.seconds, lambda: [part.go_on() for part in parts])


@fault("compute-dies", _workers, 1.0)
def compute_dies(world: World, fault: Fault) -> None:
    """The compute process alone is killed."""
    compute = world.worker(fault.target).compute
    if compute is not None:
        compute.kill()


@fault("compute-hangs", _workers, 1.0, weight=1)
def compute_hangs(world: World, fault: Fault) -> None:
    """The computation does not end."""
    compute = world.worker(fault.target).compute
    if compute is not None:
        compute.hangs = True


@fault("twin", _workers, 60.0)
def twin(world: World, fault: Fault) -> None:
    """Somebody starts a second worker under a name that is taken."""
    part = world.twin(fault.target)
    part.start()
    if fault.detail % 2:
        world.later(fault.seconds, part.kill)


# --- network -----------------------------------------------------------------------------------------------------


@fault("cut", _hosts, 50.0)
def cut(world: World, fault: Fault) -> None:
    """A host reaches no other host."""
    hosts = {host.name for host in world.hosts_of(fault.target)}
    world.network.cut_off |= hosts
    world.later(fault.seconds, lambda: world.network.cut_off.difference_update(hosts))


@fault("weather", _session, 40.0, weight=4)
def weather(world: World, fault: Fault) -> None:
    """Frames are lost, repeated, late and out of order."""
    world.network.weather = WEATHERS[fault.detail % len(WEATHERS)]

    def clear() -> None:
        world.network.weather = FAIR

    world.later(fault.seconds, clear)


# --- storage -----------------------------------------------------------------------------------------------------


@fault("full", _session, 85.0, weight=4)
def full(world: World, fault: Fault) -> None:
    """The disk for results fills up: so many bytes are left."""
    disk = world.disks[StoragePlace.PROCESSING]
    disk.room_bytes, disk.is_full_for_all = fault.detail, fault.detail % 3 == 0
    world.later(fault.seconds, disk.recover)


@fault("error", _session, 30.0)
def error(world: World, fault: Fault) -> None:
    """Each call fails: stale handles, or errors of the disk."""
    disk = world.disks[(StoragePlace.DATA, StoragePlace.PROCESSING)[fault.detail % 2]]
    disk.error = (errno.ESTALE, errno.EIO)[fault.detail // 2 % 2]
    world.later(fault.seconds, disk.recover)


@fault("unmount", _hosts, 60.0, weight=4)
def unmount(world: World, fault: Fault) -> None:
    """A mount is gone: an empty folder of another disk lies there."""
    place = (StoragePlace.DATA, StoragePlace.PROCESSING)[fault.detail % 2]
    for host in world.hosts_of(fault.target):
        host.unmount(place)
    world.later(fault.seconds, lambda: world.mount(fault.target, place))


@fault("hang", _session, 40.0)
def hang(world: World, fault: Fault) -> None:
    """Calls do not return; a scheduler whose database lies there stands still with it."""
    place = (StoragePlace.DATA, StoragePlace.PROCESSING)[fault.detail % 2]
    disk, scheduler = world.disks[place], world.parts["scheduler"]
    disk.hang()
    if place is StoragePlace.PROCESSING:
        scheduler.stop()

    def end() -> None:
        disk.recover()
        scheduler.go_on()

    world.later(fault.seconds, end)


@fault("power", _session, 20.0)
def power(world: World, fault: Fault) -> None:
    """All hosts lose their power: what was not flushed to the disk for results is lost."""
    for part in world.parts.values():
        for one in world.with_children(part.name):
            one.kill()
    world.disks[StoragePlace.PROCESSING].cut_power(world.simulator.stream(f"power {fault.at_s}"))
    world.power_cuts += 1
    world.later(fault.seconds, lambda: [world.start(part) for part in world.parts.values()])


# --- files and users ---------------------------------------------------------------------------------------------


@fault("replace", _movies, 1.0, weight=1)
def replace(world: World, fault: Fault) -> None:
    """A movie is recorded again, under the same name."""
    world.microscope.record(fault.target, version=2 + fault.detail)


@fault("remove", _movies, 1.0, weight=1)
def remove(world: World, fault: Fault) -> None:
    """Somebody deletes a movie."""
    world.microscope.remove(fault.target)


@fault("settings", _session, 40.0, weight=4)
def settings(world: World, fault: Fault) -> None:
    """A user changes a setting, and perhaps changes it back."""
    world.user.patch(fault.detail)
    if fault.detail % 3:
        world.later(fault.seconds, lambda: world.user.patch(fault.detail ^ 1))


@fault("exclude", _movies, 40.0)
def exclude(world: World, fault: Fault) -> None:
    """A user leaves a movie out for a while."""
    name = fault.target.removesuffix(".tif")
    world.user.select(name, (Selection.EXCLUDE, Selection.INCLUDE)[fault.detail % 2])
    world.later(fault.seconds, lambda: world.user.select(name, Selection.AUTO))


@fault("pause", _session, 20.0)
def pause(world: World, fault: Fault) -> None:
    """A user pauses processing for a while."""
    world.user.pause(True)
    world.later(fault.seconds, lambda: world.user.pause(False))


@fault("order", _session, 1.0, weight=1)
def order(world: World, fault: Fault) -> None:
    """A user lets movies run in another order."""
    world.user.order(fault.detail)


@fault("retry", _session, 1.0, weight=1)
def retry(world: World, fault: Fault) -> None:
    """A user tries failed movies again."""
    world.user.retry()
