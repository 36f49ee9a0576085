"""The discoverer against the real scheduler: files found, kept over restarts of either, settings taken up live."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.waiting import delete_in_use, wait_for_end
from warpcore.bus.client import RequestClient
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.events import Subscriber
from warpcore.bus.messages import GetItems, GetProcessing, Items, PatchSettings, ProcessingStatus
from warpcore.services.discoverer.service import run_discoverer
from warpcore.services.scheduler.shell.service import run_scheduler


class Session:
    """Directories, ports and a client of one session; its two services can be started and ended."""

    def __init__(self, folder: Path, endpoints: Endpoints) -> None:
        self.data = folder / "data"
        self.processing = folder / "processing"
        self.endpoints = endpoints
        self.client = RequestClient(endpoints.control, "test")
        self.data.mkdir()

    @contextmanager
    def scheduler(self) -> Iterator[None]:
        with _thread(lambda stop: run_scheduler(self.endpoints, self.data, self.processing, stop=stop)):
            yield

    @contextmanager
    def discoverer(self, watch: bool = False, gives_up: bool = False) -> Iterator[None]:
        with _thread(
            lambda stop: run_discoverer(
                self.endpoints,
                self.data,
                watch=watch,
                scan_interval_s=0.05,
                incubation_s=0.1,
                give_up_s=1.0 if gives_up else 60.0,
                stop=stop,
            )
        ):
            yield

    def items(self) -> Items:
        answer = self.client.request(GetItems(page_size=1000))
        assert isinstance(answer, Items)
        return answer

    @property
    def total(self) -> int:
        """How many movies are registered."""
        answer = self.client.request(GetItems(page_size=1))
        assert isinstance(answer, Items)
        return answer.total

    def has(self, *paths: str) -> bool:
        """Whether exactly these are registered."""
        return sorted(movie.path for movie in self.items().movies) == sorted(paths)


@contextmanager
def _thread(target: Callable[[threading.Event], None]) -> Iterator[None]:
    stop = threading.Event()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            target(stop)
        except BaseException as error:  # noqa: BLE001  # shown when the context ends
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        wait_for_end(thread, 15)
        assert not errors


@pytest.fixture
def session(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Iterator[Session]:
    controller, control, events_in, events_out = free_ports(4)
    endpoints = Endpoints(
        controller_port=controller, control_port=control, events_in_port=events_in, events_out_port=events_out
    )
    one = Session(tmp_path, endpoints)
    yield one
    one.client.close()


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("movie") / "movie.tif"
    tifffile.imwrite(path, np.zeros((3, 32, 32), np.uint8), photometric="minisblack", metadata=None)
    return path


def test_what_looks_like_a_reference_is_a_warning_of_the_session_until_it_is_taken(
    session: Session, wait_until: Callable[..., None]
) -> None:
    tifffile.imwrite(session.data / "gain.tif", np.ones((32, 32), np.float32), photometric="minisblack")

    def warnings() -> list[str]:
        status = session.client.request(GetProcessing())
        assert isinstance(status, ProcessingStatus)
        return status.warnings

    with session.scheduler(), session.discoverer():
        wait_until(warnings, what="the warning")
        assert warnings()[0].startswith(
            "looks like a reference, not taken: gain.tif (one frame, and 'gain' in its name)"
        )
        assert session.total == 0
        session.client.request(PatchSettings({"import": {"gain_path": str(session.data / "gain.tif")}}))
        wait_until(lambda: not warnings(), what="the end of the warning")
        assert session.total == 0


def test_files_are_kept_over_restarts_of_either_side(
    session: Session, movie: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copyfile(movie, session.data / "a.tif")
    with session.discoverer():
        with session.scheduler():
            wait_until(lambda: session.has("a.tif"), what="a")
        shutil.copyfile(movie, session.data / "b.tif")
        with session.scheduler():
            wait_until(lambda: session.has("a.tif", "b.tif"), what="b")
    with session.scheduler():
        shutil.copyfile(movie, session.data / "c.tif")
        before = {movie.path: movie.id for movie in session.items().movies}
        with session.discoverer():
            wait_until(lambda: session.has("a.tif", "b.tif", "c.tif"), what="c")
        after = {movie.path: movie.id for movie in session.items().movies}
        assert before.items() <= after.items()


def test_a_text_file_named_tif_becomes_a_movie_that_can_fail(session: Session, wait_until: Callable[..., None]) -> None:
    (session.data / "text.tif").write_text("not a movie")
    with session.scheduler(), session.discoverer(gives_up=True):
        wait_until(lambda: session.has("text.tif"), what="registration")


def test_settings_of_the_scheduler_are_taken_up_live(
    session: Session, movie: Path, wait_until: Callable[..., None]
) -> None:
    (session.data / "grid").mkdir()
    for name in ("a.tif", "grid/a.tif", "b.raw"):
        shutil.copyfile(movie, session.data / name)
    with session.scheduler(), session.discoverer(watch=True):
        wait_until(lambda: session.has("a.tif"), what="a")
        session.client.request(PatchSettings({"import": {"patterns": ["*.tif", "*.raw"], "recursive": True}}))
        wait_until(lambda: session.has("a.tif", "grid/a.tif", "b.raw"), what="the others")


def test_a_replaced_movie_keeps_its_identity_with_the_new_size(
    session: Session, movie: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copyfile(movie, session.data / "a.tif")
    with session.scheduler(), session.discoverer():
        wait_until(lambda: session.has("a.tif"), what="a")
        [before] = session.items().movies
        os.utime(session.data / "a.tif", ns=(7, 7))
        wait_until(lambda: session.items().movies[0].mtime_ns == 7, what="replacement")
        [after] = session.items().movies
        assert after.id == before.id


def test_a_new_state_learns_of_all_files_again(session: Session, movie: Path, wait_until: Callable[..., None]) -> None:
    """The scheduler's directory was thrown away while the discoverer ran on; its next beats tell."""
    shutil.copyfile(movie, session.data / "a.tif")
    with ExitStack() as first:
        first.enter_context(session.scheduler())
        # To tell the second state from the first, the discoverer must have heard a beat of the first. The scheduler is
        # there, so it connects at once, and before the subscriber here does: what that one hears it has heard too.
        assert session.total == 0
        with session.discoverer():
            wait_until(lambda: session.has("a.tif"), what="a")
            with Subscriber(session.endpoints.events_out, ["service.heartbeat"]) as listener:
                wait_until(lambda: (beat := listener.receive(0.1)) and beat.source == "scheduler", what="a beat")
            first.close()
            delete_in_use(session.processing)
            with session.scheduler():
                wait_until(lambda: session.has("a.tif"), what="a in the new state")


@pytest.mark.bench
def test_registering_100_000_existing_files(session: Session, movie: Path, wait_until: Callable[..., None]) -> None:
    for number in range(100_000):
        if number % 30_000 == 0:
            source = session.data.parent / f"source{number}.tif"
            shutil.copyfile(movie, source)
        os.link(source, session.data / f"m{number:06d}.tif")
    with session.scheduler():
        begun = time.perf_counter()
        with session.discoverer():
            wait_until(lambda: session.total == 100_000, seconds=300, what="all registered")
            print(f"\n100 000 existing files registered in {time.perf_counter() - begun:.1f} s")
        with session.discoverer():
            begun = time.perf_counter()
            shutil.copyfile(movie, session.data / "new.tif")
            wait_until(lambda: session.total == 100_001, seconds=60, what="the new one after a restart")
            print(f"a new file beside them after a restart: {time.perf_counter() - begun:.1f} s")
