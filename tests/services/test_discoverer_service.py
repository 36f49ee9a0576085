"""The whole discoverer on real files and sockets, against a peer that keeps files as the scheduler does."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zmq

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.events import EventHub, Subscriber
from warpcore.bus.messages import (
    Error,
    FilesRegistered,
    FoundFile,
    GetKnownFiles,
    GetProcessing,
    KnownFiles,
    ProcessingStatus,
    RegisterFiles,
    ServiceEvent,
    SettingsEvent,
)
from warpcore.bus.replies import ReplyCache
from warpcore.bus.router import Router
from warpcore.bus.schema import Message, read_message
from warpcore.services.discoverer.incubation import Examined
from warpcore.services.discoverer.service import DataDirectoryError, examine, run_discoverer
from warpcore.services.session.settings import Settings


class Registry:
    """What the scheduler keeps of files and settings; outlives the sockets that serve it."""

    def __init__(self, processing: Path) -> None:
        self.processing = processing
        self.files: dict[str, FoundFile] = {}
        self.batches: list[list[str]] = []
        self.replaced: list[str] = []
        self.added: list[str] = []
        self.settings = Settings()
        self.revision = 1
        self.refuse: set[str] = set()

    def answer(self, request: Message) -> Message:
        if isinstance(request, RegisterFiles):
            return self._register(request.files)
        if isinstance(request, GetKnownFiles):
            known = [*self.files.values()]
            end = request.after + request.limit
            section = self.settings.to_dict()["import"]
            return KnownFiles(known[request.after : end], end if end < len(known) else None, section, self.revision)
        if isinstance(request, GetProcessing):
            return ProcessingStatus(True, {}, 0, None, 60.0, 0, [], 0, "", str(self.processing))
        return Error("unknown_type", request.TYPE)

    def _register(self, files: list[FoundFile]) -> Message:
        if any(file.path in self.refuse for file in files):
            return Error("invalid", "not that one")
        self.batches.append([file.path for file in files])
        before = len(self.added), len(self.replaced)
        for file in files:
            if file.path not in self.files:
                self.added.append(file.path)
            elif self.files[file.path] != file:
                self.replaced.append(file.path)
            self.files[file.path] = file
        added, replaced = len(self.added) - before[0], len(self.replaced) - before[1]
        return FilesRegistered(added, len(files) - added - replaced, replaced)


class Peer:
    """Serves a registry on real sockets, as often as it is started; optionally swallows answers."""

    def __init__(self, endpoints: Endpoints, registry: Registry) -> None:
        self.registry = registry
        self.swallow = 0
        self.registrations: list[str] = []
        """Ids of the requests to register files."""
        self.events: list[Envelope] = []
        self._to_publish: list[Envelope] = []
        self._stop = threading.Event()
        self._replies = ReplyCache()
        self.control = Router(endpoints.bound(endpoints.control_port), "control")
        self.hub = EventHub(endpoints.bound(endpoints.events_in_port), endpoints.bound(endpoints.events_out_port))
        self._tap = Subscriber(endpoints.events_out)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def publish(self, topic: str, body: Message) -> None:
        self._to_publish.append(Envelope(topic, body.to_body(), "scheduler", seq=1))

    def beat(self, epoch: str) -> None:
        self.publish("service.heartbeat", ServiceEvent("scheduler", "here", 1, head=1, epoch=epoch))

    def told(self, topic: str) -> list[str]:
        """The paths of the file events of this topic, in order."""
        return [envelope.body["path"] for envelope in self.events if envelope.type == topic]

    def details(self, topic: str) -> list[str]:
        return [envelope.body["detail"] for envelope in self.events if envelope.type == topic]

    def _run(self) -> None:
        poller = zmq.Poller()
        for one in (self.control.socket, *self.hub.sockets, self._tap.socket):
            poller.register(one, zmq.POLLIN)
        while not self._stop.is_set():
            poller.poll(10)
            for identity, envelope in self.control.receive():
                self._respond(identity, envelope)
            self.hub.forward()
            while self._to_publish:
                self.hub.publish(self._to_publish.pop(0))
            self.events += self._tap.drain()

    def _respond(self, identity: bytes, envelope: Envelope) -> None:
        if envelope.type == "files.register":
            self.registrations.append(envelope.id)
        reply = self._replies.get(envelope.id)
        if reply is None:
            answer = self.registry.answer(read_message(envelope.type, envelope.body))
            reply = Envelope(answer.TYPE, answer.to_body(), "scheduler", reply_to=envelope.id)
            self._replies.put(envelope.id, reply)
        if self.swallow and envelope.type == "files.register":
            self.swallow -= 1
            return
        self.control.send(identity, reply)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.control.close()
        self.hub.close()
        self._tap.close()


class Running:
    """A discoverer in a thread."""

    def __init__(self, endpoints: Endpoints, data: Path, **options: float | bool) -> None:
        self._stop = threading.Event()
        self.error: BaseException | None = None
        settings = {"watch": False, "scan_interval_s": 0.05, "incubation_s": 0.1, "give_up_s": 0.5, **options}
        self._thread = threading.Thread(target=self._run, args=(endpoints, data, settings))
        self._thread.start()

    def _run(self, endpoints: Endpoints, data: Path, settings: dict[str, float]) -> None:
        try:
            run_discoverer(endpoints, data, stop=self._stop, **settings)  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001  # shown by close()
            self.error = error

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        assert self.error is None

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def endpoints(free_ports: Callable[[int], list[int]]) -> Endpoints:
    control, events_in, events_out = free_ports(3)
    return Endpoints(control_port=control, events_in_port=events_in, events_out_port=events_out)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "processing")


@pytest.fixture
def peer(endpoints: Endpoints, registry: Registry) -> Iterator[Peer]:
    running = Peer(endpoints, registry)
    yield running
    running.close()


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("movie") / "movie.tif"
    frames = np.arange(3 * 32 * 32, dtype=np.uint8).reshape(3, 32, 32)
    tifffile.imwrite(path, frames, photometric="minisblack", metadata=None)
    return path


@pytest.mark.parametrize("watch", [True, False], ids=["watching", "scan alone"])
def test_a_file_copied_in_pieces_is_registered_once_it_is_whole_and_not_before(
    endpoints: Endpoints,
    registry: Registry,
    peer: Peer,
    data: Path,
    movie: Path,
    watch: bool,
    wait_until: Callable[..., None],
) -> None:
    whole = movie.read_bytes()
    step = len(whole) // 4 + 1
    with Running(endpoints, data, watch=watch, give_up_s=30.0), (data / "a.tif").open("wb", buffering=0) as file:
        for begin in range(0, len(whole), step):
            assert not registry.files
            file.write(whole[begin : begin + step])
            if begin + step < len(whole):
                # Stable for the incubation, only the container tells that more is to come.
                said = f"{begin + step} bytes"
                wait_until(lambda said=said: any(said in one for one in peer.details("file.incubating")), what=said)
        wait_until(lambda: "a.tif" in registry.files, what="registration")
        wait_until(lambda: peer.told("file.ready"), what="event")
    info = (data / "a.tif").stat()
    assert registry.files == {"a.tif": FoundFile("a.tif", len(whole), info.st_mtime_ns)}
    assert registry.added == ["a.tif"]
    assert peer.told("file.ready") == ["a.tif"]


@pytest.mark.parametrize("watch", [True, False], ids=["watching", "scan alone"])
def test_1000_files_at_once_are_all_found_each_once(
    endpoints: Endpoints,
    registry: Registry,
    peer: Peer,
    data: Path,
    movie: Path,
    watch: bool,
    wait_until: Callable[..., None],
) -> None:
    with Running(endpoints, data, watch=watch):
        for number in range(1000):
            shutil.copyfile(movie, data / f"m{number:04d}.tif")
        wait_until(lambda: len(registry.files) == 1000, seconds=30, what="1000 files")
    assert len(registry.added) == 1000
    assert not registry.replaced
    assert sorted(peer.told("file.ready")) == sorted(registry.files)


def test_watching_finds_a_file_long_before_the_next_scan(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data, watch=True, scan_interval_s=3600.0):
        wait_until(lambda: "a.tif" in registry.files, what="the first scan's file")
        shutil.copyfile(movie, data / "b.tif")
        (data / "c.tif.part").write_bytes(movie.read_bytes())
        (data / "c.tif.part").rename(data / "c.tif")
        wait_until(lambda: len(registry.files) == 3, what="the watcher's files")
        (data / "b.tif").write_bytes(movie.read_bytes()[:-300])
        (data / "b.tif").unlink()
        wait_until(lambda: peer.told("file.vanished") == ["b.tif"], what="vanished")


def test_existing_files_are_registered_in_batches_and_a_restart_repeats_none(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    for number in range(300):
        os.link(movie, data / f"m{number:04d}.tif")
    with Running(endpoints, data):
        wait_until(lambda: len(registry.files) == 300, what="300 files")
    assert len(registry.batches) < 30
    batches, events = len(registry.batches), len(peer.told("file.seen"))
    with Running(endpoints, data):
        shutil.copyfile(movie, data / "new.tif")
        wait_until(lambda: "new.tif" in registry.files, what="the new one")
    assert registry.batches[batches:] == [["new.tif"]]
    assert len(registry.added) == 301
    assert peer.told("file.seen")[events:] in (["new.tif"], [])


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.tif", b"", "is empty"),
        ("text.tif", b"not a movie at all", "is no TIFF"),
        ("short.mrc", b"\0" * 500, "is no MRC"),
    ],
)
def test_a_file_that_never_becomes_whole_is_registered_in_the_end_so_that_its_failure_is_seen(
    endpoints: Endpoints,
    registry: Registry,
    peer: Peer,
    data: Path,
    name: str,
    content: bytes,
    said: str,
    wait_until: Callable[..., None],
) -> None:
    (data / name).write_bytes(content)
    begun = time.monotonic()
    with Running(endpoints, data, incubation_s=0.05, give_up_s=0.6):
        wait_until(lambda: name in registry.files, what="registration")
        assert time.monotonic() - begun >= 0.6
        wait_until(lambda: peer.told("file.ready") == [name], what="event")
    assert said in peer.details("file.ready")[0]


def test_a_temporary_name_is_ignored_until_renamed_into_place(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    with Running(endpoints, data, watch=True):
        shutil.copyfile(movie, data / ".a.tif.X1y2Z3")
        shutil.copyfile(movie, data / "b.tif")
        wait_until(lambda: "b.tif" in registry.files, what="b")
        assert registry.added == ["b.tif"]
        (data / ".a.tif.X1y2Z3").rename(data / "a.tif")
        wait_until(lambda: "a.tif" in registry.files, what="a")
    assert sorted(set(peer.told("file.seen"))) == ["a.tif", "b.tif"]


def test_a_replaced_file_is_registered_again_and_a_removed_one_is_told(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data):
        wait_until(lambda: "a.tif" in registry.files, what="registration")
        os.utime(data / "a.tif", ns=(1, 1))
        wait_until(lambda: registry.replaced == ["a.tif"], what="replacement")
        assert registry.files["a.tif"].mtime_ns == 1
        (data / "a.tif").unlink()
        wait_until(lambda: peer.told("file.vanished") == ["a.tif"], what="vanished")
    assert registry.added == ["a.tif"]


def test_it_waits_for_a_scheduler_that_comes_late_and_goes_on_after_its_restart(
    endpoints: Endpoints, registry: Registry, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data):
        first = Peer(endpoints, registry)
        try:
            wait_until(lambda: "a.tif" in registry.files, what="first file")
        finally:
            first.close()
        shutil.copyfile(movie, data / "b.tif")
        second = Peer(endpoints, registry)
        try:
            wait_until(lambda: "b.tif" in registry.files, what="file of the time without scheduler")
        finally:
            second.close()
    assert registry.added == ["a.tif", "b.tif"]


def test_a_lost_acknowledgement_costs_a_repeat_not_a_file(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    peer.swallow = 1
    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data):
        wait_until(lambda: len(peer.registrations) == 2, what="second attempt")
        shutil.copyfile(movie, data / "b.tif")
        wait_until(lambda: registry.added == ["a.tif", "b.tif"], what="the next file")
    assert len(set(peer.registrations[:2])) == 1, "the same request, under its id"
    assert registry.batches == [["a.tif"], ["b.tif"]]
    assert not registry.replaced


def test_a_scheduler_with_a_new_state_is_told_all_files_again(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data):

        def beaten_in() -> bool:
            peer.beat("one")
            return "a.tif" in registry.files and len(peer.events) > 20

        wait_until(beaten_in, what="first registration")
        registry.files.clear()
        wait_until(lambda: peer.beat("two") or "a.tif" in registry.files, what="second registration")
    assert registry.added == ["a.tif", "a.tif"]


def test_changed_patterns_take_effect_while_running(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    (data / "grid").mkdir()
    for name in ("a.tif", "b.raw", "grid/c.tif"):
        shutil.copyfile(movie, data / name)
    with Running(endpoints, data, watch=True):
        wait_until(lambda: [*registry.files] == ["a.tif"], what="a.tif")
        section = registry.settings.import_.model_copy(update={"patterns": ["*.tif", "*.raw"], "recursive": True})
        registry.settings = registry.settings.model_copy(update={"import_": section})
        registry.revision += 1
        peer.publish("settings.changed", SettingsEvent(registry.settings.to_dict(), registry.revision, []))
        wait_until(lambda: sorted(registry.files) == ["a.tif", "b.raw", "grid/c.tif"], what="the others")
        shutil.copyfile(movie, data / "grid" / "d.tif")
        wait_until(lambda: "grid/d.tif" in registry.files, what="a later one in the sub-folder")
    assert peer.told("file.vanished") == []


def test_outputs_below_the_data_directory_are_not_registered(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    registry.processing = data / "warp"
    section = registry.settings.import_.model_copy(update={"recursive": True})
    registry.settings = registry.settings.model_copy(update={"import_": section})
    for name in ("a.tif", "grid/b.tif", "warp/average/a.tif"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(movie, data / name)
    with Running(endpoints, data):
        wait_until(lambda: len(registry.files) == 2, what="both movies")
        shutil.copyfile(movie, data / "c.tif")
        wait_until(lambda: "c.tif" in registry.files, what="one more")
    assert sorted(registry.added) == ["a.tif", "c.tif", "grid/b.tif"]


def test_one_file_that_the_scheduler_refuses_does_not_hold_up_the_others(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    registry.refuse = {"m007.tif"}
    for number in range(20):
        shutil.copyfile(movie, data / f"m{number:03d}.tif")
    with Running(endpoints, data):
        wait_until(lambda: len(registry.files) == 19, what="the other 19")
        wait_until(lambda: peer.told("file.unreadable") == ["m007.tif"], what="event")
    assert "not that one" in peer.details("file.unreadable")[0]


def test_rubbish_at_its_subscriber_does_not_end_it(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    with Running(endpoints, data):
        wait_until(lambda: "discoverer" in {envelope.source for envelope in peer.events}, what="its heartbeat")
        for topic, body in (("settings.changed", {"settings": 3}), ("service.heartbeat", {})):
            peer._to_publish.append(Envelope(topic, body, "x"))
        peer.publish("settings.changed", SettingsEvent({"import": {"patterns": []}}, 99, []))
        peer.publish("settings.changed", SettingsEvent({}, 99, []))
        shutil.copyfile(movie, data / "a.tif")
        wait_until(lambda: "a.tif" in registry.files, what="registration all the same")


def test_it_says_that_it_lives_and_that_it_ends(
    endpoints: Endpoints, peer: Peer, data: Path, wait_until: Callable[..., None]
) -> None:
    with Running(endpoints, data):
        wait_until(lambda: any(envelope.type == "service.heartbeat" for envelope in peer.events), what="heartbeat")
    wait_until(lambda: any(envelope.type == "service.stopping" for envelope in peer.events), what="stopping")
    bodies = [ServiceEvent.from_body(envelope.body) for envelope in peer.events if envelope.type.startswith("service.")]
    assert {(body.service, body.pid) for body in bodies} == {("discoverer", os.getpid())}


def test_a_data_directory_that_cannot_be_is_refused_in_one_line(endpoints: Endpoints, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, said in ((tmp_path / "none", "does not exist; create it"), (tmp_path / "file", "is not a directory")):
        with pytest.raises(DataDirectoryError, match=f"^data directory {path} {said}"):
            run_discoverer(endpoints, path, stop=threading.Event())


def test_a_data_directory_that_goes_and_comes_back_is_told_once(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data):
        wait_until(lambda: "a.tif" in registry.files, what="registration")
        data.rename(data.parent / "away")
        wait_until(lambda: peer.told("file.unreadable") == ["."], what="told")
        (data.parent / "away").rename(data)
        shutil.copyfile(movie, data / "b.tif")
        wait_until(lambda: "b.tif" in registry.files, what="the next file")
    assert peer.told("file.vanished") == []
    assert peer.told("file.unreadable") == ["."]
    assert registry.added == ["a.tif", "b.tif"]


def test_a_look_into_a_file(data: Path, movie: Path) -> None:
    shutil.copyfile(movie, data / "a.tif")
    info = (data / "a.tif").stat()
    assert examine(data, "a.tif") == Examined((info.st_size, info.st_mtime_ns))
    assert examine(data, "none.tif") == Examined(None)
    (data / "cut.tif").write_bytes(movie.read_bytes()[:-500])
    cut = examine(data, "cut.tif")
    assert cut.identity is not None
    assert cut.fault.startswith("is truncated")
    (data / "loop.tif").symlink_to(data / "loop.tif")
    assert examine(data, "loop.tif") == Examined(None, unreadable="Too many levels of symbolic links")


def test_a_full_batch_fits_a_frame() -> None:
    """2 000 files a message, paths as long as the batch's own limit lets through."""
    from warpcore.services.discoverer.incubation import Incubation
    from warpcore.services.discoverer.listing import Listing

    for length in (10, 200, 349, 351, 4000):
        incubation = Incubation(0.0)
        listing = Listing({f"{number:06d}".ljust(length, "漢"): (2**63, 2**62) for number in range(3000)})
        incubation.listed(listing, 0.0)
        for path in incubation.due(0.0, 5000):
            incubation.examined(path, Examined(listing.files[path]), 0.0)
        request = RegisterFiles(incubation.batch())
        assert len(encode(Envelope(request.TYPE, request.to_body(), "discoverer"))) < 1_000_000
        assert request.files[0].path in listing.files
