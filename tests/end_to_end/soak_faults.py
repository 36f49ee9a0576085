"""How each fault of the soak is done: it begins on entering, and ends on leaving. The plan says when and how long."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from soak_garbage import Target, send_garbage
from soak_world import APART, SERVICES, World, send, stopped

from tests.own_token import OwnToken
from tests.services.mounts import fill
from warpcore.services.session.placing import STAGING

OTHER_SETTINGS = {"ctf": {"range_max": 6.0}}
USUAL_SETTINGS = {"ctf": {"range_max": 4.0}}
HOLD_S = 30.0
CATCH_S, STILL_S = 240.0, 0.5
REST_S = 60.0

FaultIn = Callable[[World], AbstractContextManager[None]]


def killing(kind: str) -> FaultIn:
    """`kill -9` of one process of this kind."""

    @contextmanager
    def kill(world: World) -> Iterator[None]:
        world.wait(lambda: world.pids(kind), HOLD_S, f"a process of {kind}")
        send([world.dice.choice(world.pids(kind))], signal.SIGKILL)
        yield

    return kill


def stopping(*kinds: str) -> FaultIn:
    """SIGSTOP of a service, or of these processes of one worker, and SIGCONT."""

    @contextmanager
    def stop(world: World) -> Iterator[None]:
        apart = None if kinds[0] in SERVICES else world.dice.random() < 0.5
        with stopped(pid for kind in kinds for pid in world.pids(kind, apart=apart)):
            yield

    return stop


@contextmanager
def cut(world: World) -> Iterator[None]:
    """The connections of the worker apart are reset, and new ones too."""
    world.proxy.cut()
    yield
    world.proxy.heal()


@contextmanager
def stall(world: World) -> Iterator[None]:
    """Nothing comes through the connections of the worker apart, and none ends."""
    world.proxy.stall()
    yield
    world.proxy.heal()


@contextmanager
def full_disk(world: World) -> Iterator[None]:
    """No byte is left in the processing directory."""
    assert world.processing is not None
    filler = world.processing.files / "filler"
    fill(filler)
    try:
        world.wait(lambda: any("disk full on" in text for text in world.holds()), HOLD_S, "a hold as the disk is full")
        yield
    finally:
        filler.unlink()


@contextmanager
def data_away(world: World) -> Iterator[None]:
    """The data directory is unmounted; the movies go on coming where it was mounted from."""
    assert world.data is not None
    world.data.go()
    try:
        world.wait(lambda: any("is away" in text for text in world.holds()), HOLD_S, "a hold as the data is away")
        yield
    finally:
        world.data.come()


@contextmanager
def replaced(world: World) -> Iterator[None]:
    """Two movies get other pixels under their names: one of any age, and the newest."""
    for movie in {world.dice.choice(world.microscope.whole), world.microscope.whole[-1]}:
        world.microscope.replace(movie)
    yield


@contextmanager
def removed(world: World) -> Iterator[None]:
    """Two movies are gone for a while: one of any age, and the newest."""
    movies = {world.dice.choice(world.microscope.whole), world.microscope.whole[-1]}
    for movie in movies:
        world.microscope.remove(movie)
    yield
    for movie in movies:
        world.microscope.bring_back(movie)


@contextmanager
def other_settings(world: World) -> Iterator[None]:
    """Settings change, and return."""
    patch(world, OTHER_SETTINGS)
    yield
    patch(world, USUAL_SETTINGS)


@contextmanager
def garbage(world: World) -> Iterator[None]:
    """Nonsense arrives at every port."""
    controller, control, events_in, events_out = (int(port) for port in world.session.ports[1::2])
    rest = world.session.http.base_url.port
    assert rest is not None
    names, auth = (*world.workers(), "nobody"), OwnToken(world.session.processing)
    send_garbage(world.dice, Target(rest, controller, control, events_in, events_out, names, auth))
    yield


@contextmanager
def stale_writer(world: World) -> Iterator[None]:
    """A worker stops between writing and its report; another one does its movies with other settings; it goes on.

    What the other one has made must not change by that.
    """
    with ExitStack() as stack:
        catch_writing(world, stack)
        movies = world.workers()[APART]["movies"]
        assert movies, "the worker that is caught holds a movie"
        patch(world, OTHER_SETTINGS)
        for movie in movies:
            world.session.http.post(f"/api/items/{movie}/priority", json={"first": True})
        world.wait(lambda: APART not in world.workers(), HOLD_S, "the loss of the worker that stands still")
        world.wait(lambda: world.have_ended(movies), REST_S * 2, f"{movies} done by the other worker")
        files = [path for movie in movies for path in world.session.processing.glob(f"*/{movie}*.mrc")]
        made = {path: path.read_bytes() for path in files}
        assert made
    world.wait(lambda: APART in world.workers(), REST_S, "the worker back")
    yield
    changed = [path for path, content in made.items() if path.read_bytes() != content]
    assert changed == [], "the worker that went on has replaced results of the other one"
    patch(world, USUAL_SETTINGS)


def catch_writing(world: World, stack: ExitStack) -> None:
    """Stop the worker apart while it writes: a folder of results lies there and is not reported."""
    deadline = time.monotonic() + CATCH_S
    while True:
        assert time.monotonic() < deadline, "the worker apart was not caught writing"
        world.tend()
        pids = [*world.pids("compute", apart=True), *world.pids("nanny", apart=True)]
        looked_until = time.monotonic() + 1.0
        while not written(world.session.processing) and time.monotonic() < looked_until:
            time.sleep(0.002)
        with ExitStack() as trial:
            trial.enter_context(stopped(pids))
            if stays(written(world.session.processing), world.session.processing):
                stack.push(trial.pop_all())
                return


def stays(files: set[Path], processing: Path) -> bool:
    """Whether some of these files are not reported for `STILL_S`: what the other worker writes is placed by then."""
    until = time.monotonic() + STILL_S
    while files and time.monotonic() < until:
        time.sleep(0.02)
        files &= written(processing)
    return bool(files)


def written(processing: Path) -> set[Path]:
    """Files in the folders of tasks that have not been reported."""
    return {path for path in (processing / STAGING).glob("*/*") if path.is_file()}


def patch(world: World, settings: dict[str, dict[str, float]]) -> None:
    """Change settings; asked again while nothing answers."""

    def done() -> bool:
        now = world.get("/api/settings")
        if now is None:
            return False
        world.session.http.patch("/api/settings", json=settings)
        return all(now[section][key] == value for section, one in settings.items() for key, value in one.items())

    world.wait(done, REST_S, f"settings {settings}")


DOING: dict[str, FaultIn] = {
    **{f"kill {kind}": killing(kind) for kind in (*SERVICES, "nanny", "compute")},
    **{f"stop {kind}": stopping(kind) for kind in (*SERVICES, "nanny", "compute")},
    "stop worker": stopping("compute", "nanny"),
    "cut connections": cut,
    "stall connections": stall,
    "fill disk": full_disk,
    "unmount data": data_away,
    "replace input": replaced,
    "remove input": removed,
    "change settings": other_settings,
    "send garbage": garbage,
    "stale writer": stale_writer,
}
"""Each fault of the plan."""
