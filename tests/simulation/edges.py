"""Where the product meets the world: within `simulated`, its clocks, threads, sockets and paths are simulated ones.

The shells of scheduler and discoverer, and the worker's look at folders, run as they are. Only names that they import
to reach the world stand for something else here.
"""

from __future__ import annotations

import errno
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any, Generic, TypeVar
from unittest import mock

from tests.simulation.clock import Simulator
from tests.simulation.hosts import SeenPath, looked_at
from tests.simulation.microscope import HEADER, WHOLE
from tests.simulation.network import Dealer, Ports, Publisher, Subscriber
from tests.simulation.part import Broken, Part
from tests.simulation.scheduler import DiskStore, Nothing, OutputCheck, placer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.messages import Acquisition
from warpcore.bus.vocabulary import StoragePlace
from warpcore.services.discoverer import asker, finding
from warpcore.services.discoverer import service as discoverer
from warpcore.services.discoverer.examining import Examined
from warpcore.services.discoverer.listing import Listing, Watched
from warpcore.services.readers.metadata.beside import NO_METADATA, ReadMetadata
from warpcore.services.scheduler.shell import preparing, session
from warpcore.services.scheduler.shell import service as scheduler
from warpcore.services.scheduler.shell import storage as scheduler_storage
from warpcore.services.tracker import writing
from warpcore.services.worker import seeing

T = TypeVar("T")

ENDPOINTS = Endpoints()


def here() -> Part:
    """The process that runs now."""
    assert Part.running is not None
    return Part.running


def path(text: object) -> SeenPath:
    """A path as the host of the present process sees it."""
    return text if isinstance(text, SeenPath) else here().host.path(str(text))


LOOKED_AT: dict[str, tuple[StoragePlace, ...]] = {
    "look at data": (StoragePlace.DATA,),
    "look at processing": (StoragePlace.PROCESSING,),
    "look at the data directory": (StoragePlace.DATA,),
    "look at folders": (StoragePlace.DATA, StoragePlace.PROCESSING),
    "look at reference files": (),
    "where the results lie": (),
}
"""The file systems that the calls of a side thread wait for, by its name; none: its files lie elsewhere."""


class SideThread(Generic[T]):
    """As `process.side_thread.SideThread`: a call ends once the file systems answer that it looks at."""

    def __init__(self, name: str) -> None:
        self._part = here()
        self._places = LOOKED_AT[name]
        self._results: list[T | Exception] = []
        self._begun_at: float | None = None

    @property
    def is_free(self) -> bool:
        return self._begun_at is None

    def begin(self, call: Callable[[], T]) -> None:
        self._begun_at = self._part.simulator.now
        results = self._results

        def end() -> None:
            try:
                results.append(call())
            except Exception as error:  # noqa: BLE001 - it is raised where the result is taken
                results.append(error)

        answer_of_all(self._part, self._places, self._part.bound(end))

    def hangs_s(self, now: float) -> float:
        return now - self._begun_at if self._begun_at is not None else 0.0

    def taken(self, wait_s: float = 0.0) -> T | None:
        if not self._results:
            return None
        self._begun_at = None
        result = self._results.pop()
        if isinstance(result, Exception):
            raise result
        return result

    def give_up(self) -> None:
        self._results, self._begun_at = [], None


def answer_of_all(part: Part, places: Sequence[StoragePlace], action: Callable[[], None]) -> None:
    """Act once each of these file systems has answered."""
    if not places:
        action()
    else:
        part.host.mounts[places[0]].answer(lambda: answer_of_all(part, places[1:], action))


class Executor:
    """As `ThreadPoolExecutor`, for looks into the data directory."""

    def __init__(self, *_: object, **__: object) -> None:
        self._part = here()

    def submit(self, call: Callable[..., T], *args: Any) -> Future[T]:
        future: Future[T] = Future()

        def end() -> None:
            try:
                future.set_result(call(*args))
            except Exception as error:  # noqa: BLE001 - it is raised where the result is taken
                future.set_exception(error)

        self._part.host.mounts[StoragePlace.DATA].answer(self._part.bound(end))
        return future

    def shutdown(self, **_: object) -> None:
        pass


def list_files(directory: SeenPath, watched: Watched, stopped: object = None) -> Listing:
    """As the discoverer's scan."""
    try:
        names = [name for name in directory.names() if watched.holds(name) or watched.holds_metadata(name)]
        found = {name: (directory / name).stat() for name in names}
    except OSError as error:
        return Listing(unreadable={".": error.strerror or str(error)})
    there = {name: (info.st_size, info.st_mtime_ns) for name, info in found.items()}
    movies = {name: identity for name, identity in there.items() if watched.holds(name)}
    return Listing(movies, metadata={name: there[name] for name in there.keys() - movies.keys()})


def examine(directory: SeenPath, name: str, watched: Watched, metadata: str = "") -> Examined:
    """As the discoverer's look into one file, and into its metadata."""
    try:
        info, text = (directory / name).stat(), (directory / name).read_text()
    except FileNotFoundError:
        return Examined(None)
    except OSError as error:
        return Examined(None, unreadable=error.strerror or str(error))
    identity = info.st_size, info.st_mtime_ns
    if not text.endswith(WHOLE):
        return Examined(identity, fault="it is cut off")
    return Examined(identity, header=HEADER, metadata=read_metadata(directory, metadata))


def read_metadata(directory: SeenPath, name: str) -> ReadMetadata:
    """As `readers.metadata.beside.metadata_of`: the simulated microscope writes the voltage alone."""
    try:
        if not name:
            return NO_METADATA
        mtime_ns, text = (directory / name).stat().st_mtime_ns, (directory / name).read_text()
    except OSError as error:
        return ReadMetadata(None, name, error.strerror or str(error))
    if not text.endswith(WHOLE):
        return ReadMetadata(None, name, "it is cut off")
    told = Acquisition(name, mtime_ns, "epu", voltage_kv=float(text.split()[-1]))
    return ReadMetadata(told, name, is_own=True)


def try_to_write(dir: SeenPath) -> Any:
    """As `tempfile.TemporaryFile`."""
    if not dir.is_dir():
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(dir))
    (dir / ".try").write_text("")
    return nullcontext()


class Clock:
    """Stands for the module `time`."""

    def __init__(self, simulator: Simulator) -> None:
        self.monotonic, self.time = simulator.monotonic, simulator.time


class Mishap(logging.Handler):
    """Ends the run where the product logs an exception that it did not expect."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            raise Broken(f"unexpected: {record.getMessage()}: {record.exc_info[1]!r}") from record.exc_info[1]


@contextmanager
def mishaps_told() -> Iterator[None]:
    """Within, the product's log is kept silent, but for exceptions that it did not expect."""
    log, handler = logging.getLogger("warpcore"), Mishap(logging.ERROR)
    propagate, log.propagate = log.propagate, False
    level = log.level
    log.setLevel(logging.ERROR)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.propagate = propagate
        log.setLevel(level)


@contextmanager
def chance_from(seed: str) -> Iterator[None]:
    """Within, what the product leaves to chance follows from the seed."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


@contextmanager
def simulated(simulator: Simulator, ports: Ports) -> Iterator[None]:
    """Within, the product lives in the simulated world."""
    clock = Clock(simulator)
    port_of = {ENDPOINTS.workers: ports.workers, ENDPOINTS.control: ports.control}

    def dealer(endpoint: str, identity: bytes, source: str, queued: int = 0, key: object = None) -> Dealer:
        return Dealer(here(), port_of[endpoint], identity, source)

    replaced: dict[Any, dict[str, Any]] = {
        asker: {"Dealer": dealer, "time": clock},
        discoverer: {
            "Publisher": lambda endpoint, source, key: Publisher(here(), ports.events, source),
            "Subscriber": lambda endpoint, topics, key: Subscriber(here(), ports, tuple(topics)),
            "SideThread": SideThread,
            "output_folders": lambda directory, processing: frozenset(),
            "time": clock,
        },
        finding: {
            "SideThread": SideThread,
            "ThreadPoolExecutor": Executor,
            "list_files": list_files,
            "examine": examine,
            "time": clock,
        },
        scheduler: {
            "Path": path,
            "Placer": placer,
            "OutputCheck": OutputCheck,
            "TryFolders": Nothing,
            "Keeper": Nothing,
            "time": clock,
        },
        preparing: {"SideThread": SideThread},
        writing: {
            "write_text_whole": SeenPath.write_text,
            "read_bytes": SeenPath.read_bytes,
            "result_path": SeenPath.__truediv__,
            "results_below": lambda _: None,  # there are no links
        },
        scheduler_storage: {"SideThread": SideThread, "time": clock},
        session: {
            "Store": DiskStore,
            "database_advice": lambda path: "",
            "time": clock,
            "garbage_left_alone": nullcontext,
        },
        seeing: {
            "SideThread": SideThread,
            "Path": path,
            "tempfile": SimpleNamespace(TemporaryFile=try_to_write),
        },
    }
    with ExitStack() as stack:
        stack.enter_context(looked_at())
        stack.enter_context(mishaps_told())
        stack.enter_context(chance_from(f"{simulator.seed} jitter"))
        for module, names in replaced.items():
            stack.enter_context(mock.patch.multiple(module, **names))
        yield
