"""The tracker over real sockets and files; a peer with a scheduler's control port and event hub tells it all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import starfile
import zmq
from msgspec.structs import replace

from tests.services.movie_xml import read_movie_xml
from tests.services.tracker_movies import RESULTS, named
from warpcore.bus.client import RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope
from warpcore.bus.events import EventHub
from warpcore.bus.messages import (
    AssignTask,
    Change,
    Changes,
    Error,
    ExportCollected,
    ExportEvent,
    ExportJob,
    Exports,
    Failure,
    FoundFile,
    GetChanges,
    GetExport,
    GetExports,
    GetProcessing,
    GetSnapshot,
    Movie,
    MovieEvent,
    Ok,
    PatchSettings,
    ProcessingStatus,
    PullTasks,
    RegisterFiles,
    RegisterWorker,
    SelectItem,
    Snapshot,
    StartExport,
    TaskFailed,
    TaskFinished,
)
from warpcore.bus.router import Router
from warpcore.bus.schema import Message, read_message
from warpcore.services.formats.star_files import OpticsGroup, ParticleCtf, write_particles
from warpcore.services.formats.warp_xml import MovieXml, write_movie_xml
from warpcore.services.scheduler.shell.service import run_scheduler
from warpcore.services.session.settings import Settings, patch_settings
from warpcore.services.tracker.particles import collect_particles
from warpcore.services.tracker.service import run_tracker

Wait = Callable[..., None]
Start = Callable[[], Callable[[], None]]


class Peer:
    """State with a change log behind a real ROUTER and hub, in a thread; events can be lost on the way."""

    def __init__(self, endpoints: Endpoints, movies: list[Movie], **patch: Any) -> None:
        self.movies = {movie.id: movie for movie in movies}
        self.settings = patch_settings(Settings(), patch)
        self.log: list[Change] = []
        self.jobs: dict[str, ExportJob] = {}
        self.collected: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._control = Router(endpoints.bound(endpoints.control_port), "control")
        self._hub = EventHub(endpoints.bound(endpoints.events_in_port), endpoints.bound(endpoints.events_out_port))
        self._outbox: list[Envelope] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def tell(self, movie: Movie, *, lose: bool = False) -> None:
        """A movie's new state."""
        with self._lock:
            self.movies[movie.id] = movie
        self.publish("movie.status", MovieEvent(movie), lose=lose)

    def publish(self, topic: str, body: Message, *, lose: bool = False) -> None:
        """A durable event."""
        with self._lock:
            self.log.append(Change(len(self.log) + 1, topic, body.to_body()))
            if not lose:
                self._outbox.append(Envelope(topic, body.to_body(), "scheduler", seq=len(self.log)))

    def _run(self) -> None:
        poller = zmq.Poller()
        for one in (self._control.socket, *self._hub.sockets):
            poller.register(one, zmq.POLLIN)
        while not self._stop.is_set():
            poller.poll(10)
            with self._lock:
                for envelope in self._outbox:
                    self._hub.publish(envelope)
                self._outbox.clear()
                for identity, envelope in self._control.receive():
                    answer = self._answer(read_message(envelope.type, envelope.body))
                    self._control.send(identity, Envelope(answer.TYPE, answer.to_body(), "s", reply_to=envelope.id))
            self._hub.forward()

    def _answer(self, request: Message) -> Message:
        head = len(self.log)
        if isinstance(request, GetSnapshot):
            return Snapshot(head, "e", list(self.movies.values()), None, self.settings.to_dict(), 1, False)
        if isinstance(request, GetChanges):
            return Changes(self.log[request.since :], head, "e")
        if isinstance(request, GetProcessing):
            return ProcessingStatus(True, {}, 0, None, 0.0, 0, [], head, "/data/session", "/data/processing")
        if isinstance(request, GetExports):
            return Exports([job.job for job in self.jobs.values() if job.state == request.state])
        if isinstance(request, GetExport):
            job = self.jobs[request.job]
            more = request.after + 1 < len(job.files)
            return replace(job, files=job.files[request.after :][:1], next_after=request.after + 1 if more else None)
        if isinstance(request, ExportCollected):
            self.collected.append((request.job, request.file))
            self.jobs[request.job] = replace(self.jobs[request.job], state="done")
            return Ok()
        return Error("unknown_type", request.TYPE)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._control.close()
        self._hub.close()


@pytest.fixture
def endpoints(free_ports: Callable[[int], list[int]]) -> Endpoints:
    control, events_in, events_out = free_ports(3)
    return Endpoints(control_port=control, events_in_port=events_in, events_out_port=events_out)


@pytest.fixture
def peers(endpoints: Endpoints) -> Iterator[Callable[..., Peer]]:
    running: list[Peer] = []

    def start(movies: list[Movie], **patch: Any) -> Peer:
        running.append(Peer(endpoints, movies, **patch))
        return running[-1]

    yield start
    for peer in running:
        peer.close()


@pytest.fixture
def tracker(endpoints: Endpoints, tmp_path: Path) -> Iterator[Start]:
    """Starts a tracker over `tmp_path`; what it returns ends it."""
    running: list[Callable[[], None]] = []

    def start() -> Callable[[], None]:
        stop = threading.Event()
        thread = threading.Thread(
            target=run_tracker,
            args=(endpoints, tmp_path),
            kwargs={"debounce_s": 0.02, "max_delay_s": 0.5, "stop": stop},
        )
        thread.start()

        def end() -> None:
            stop.set()
            thread.join(15)
            assert not thread.is_alive()

        running.append(end)
        return end

    yield start
    for end in running:
        end()


def items(folder: Path, name: str = "processed_items.json") -> list[dict[str, Any]] | None:
    path = folder / name
    return json.loads(path.read_text()) if path.is_file() else None


def micrographs(folder: Path) -> list[str]:
    path = folder / "micrographs_ctf.star"
    if not path.is_file():
        return []
    table = starfile.read(path, always_dict=True)["micrographs"]
    return list(table["rlnMicrographName"]) if len(table) else []


def test_files_follow_the_state_through_lost_events(
    peers: Callable[..., Peer], tracker: Start, tmp_path: Path, wait_until: Wait
) -> None:
    peer = peers([named(1), named(2, status="unprocessed", results={})])
    tracker()
    wait_until(lambda: (tmp_path / "movies.star").is_file() and len(items(tmp_path) or []) == 2, what="first files")
    assert items(tmp_path, "failed_items.json") == []
    peer.tell(named(2, status="failed", results={}, failure=Failure("input", "load", "empty", "h")))
    wait_until(lambda: len(items(tmp_path, "failed_items.json") or []) == 1, what="failure listed")
    peer.tell(named(2, status="queued", results={}), lose=True)
    peer.tell(named(2, status="processing", results={}), lose=True)
    peer.tell(named(2))
    wait_until(lambda: micrographs(tmp_path) == ["average/grid/m1.mrc", "average/grid/m2.mrc"], what="both rows")
    wait_until(lambda: items(tmp_path, "failed_items.json") == [], what="no failure listed")
    star = {"movies.star", "corrected_micrographs.star", "micrographs_ctf.star", "autopick.star"}
    names = {"processed_items.json", "failed_items.json", *star}
    wait_until(lambda: {path.name for path in tmp_path.iterdir()} == names, what="these files and no temporary ones")


def test_late_start_and_restart_are_right_and_leave_right_files_alone(
    peers: Callable[..., Peer], tracker: Start, tmp_path: Path, wait_until: Wait
) -> None:
    (tmp_path / "processed_items.json").write_text('[{"Path": "half wri')
    end = tracker()
    peer = peers([named(number) for number in range(1, 4)])
    wait_until(lambda: len(micrographs(tmp_path)) == 3 and (tmp_path / "movies.star").is_file(), what="files")
    assert [one["Path"] for one in items(tmp_path) or []] == [f"grid/m{number}.tif" for number in (1, 2, 3)]
    end()
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    peer.tell(named(3, selection="exclude"))
    tracker()
    wait_until(lambda: len(micrographs(tmp_path)) == 2, what="change made while away")
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert after["failed_items.json"] == before["failed_items.json"]
    assert after["processed_items.json"] > before["processed_items.json"]


def test_selection_reaches_the_xml_of_each_movie(
    peers: Callable[..., Peer], tracker: Start, tmp_path: Path, wait_until: Wait
) -> None:
    (tmp_path / "grid").mkdir()
    for number in (1, 2):
        write_movie_xml(tmp_path / f"grid/m{number}.xml", MovieXml("/data"))
    peer = peers([named(1, status="filtered_out", filter_reasons=["x"]), named(2), named(3)])
    tracker()

    def flags(number: int) -> tuple[bool, bool | None]:
        read = read_movie_xml(tmp_path / f"grid/m{number}.xml")
        return read.unselect_filter, read.unselect_manual

    wait_until(lambda: flags(1) == (True, None), what="filter in the XML")
    assert flags(2) == (False, None)
    peer.tell(named(2, selection="exclude"))
    peer.tell(named(1, status="filtered_out", filter_reasons=["x"], selection="include"))
    wait_until(lambda: flags(2) == (False, True) and flags(1) == (True, False), what="choices in the XML")


def test_a_directory_that_cannot_be_written_is_told_once_and_tried_again(
    peers: Callable[..., Peer],
    tracker: Start,
    tmp_path: Path,
    wait_until: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:
    obstacle = tmp_path / "failed_items.json"
    obstacle.mkdir()
    peers([named(1)])
    tracker()
    wait_until(lambda: "failed_items.json: cannot be written" in caplog.text, what="complaint")
    obstacle.rmdir()
    wait_until(lambda: items(tmp_path, "failed_items.json") == [] and micrographs(tmp_path), what="files after all")
    assert caplog.text.count("cannot be written") == 1


def particles(folder: Path, number: int, count: int, box: int = 64) -> str:
    (folder / "particles/grid").mkdir(parents=True, exist_ok=True)
    name = f"particles/grid/m{number}_picks.star"
    optics = OpticsGroup(0.5, 1.0, 300.0, 2.7, 0.07, image_pixel_size_angstrom=2.0, image_size_px=box)
    x = np.arange(count) + 0.5
    ctf = ParticleCtf(2.7e4, 2.6e4, 30.0)
    write_particles(folder / name, optics, f"average/grid/m{number}.mrc", name.replace(".star", ".mrcs"), x, x, x, ctf)
    return name


def test_particles_are_collected_live(
    peers: Callable[..., Peer], tracker: Start, tmp_path: Path, wait_until: Wait
) -> None:
    for number, count in ((1, 3), (2, 2)):
        particles(tmp_path, number, count)
    peer = peers([named(1)], export={"particles": True})
    tracker()

    def rows() -> int:
        path = tmp_path / "particles.star"
        return len(starfile.read(path, always_dict=True)["particles"]) if path.is_file() else 0

    wait_until(lambda: rows() == 3, what="particles of the first movie")
    peer.tell(named(2))
    wait_until(lambda: rows() == 5, what="particles of both")


@pytest.mark.parametrize("told", ["by an event", "before the tracker started"])
def test_an_export_job_gets_its_summary(
    peers: Callable[..., Peer],
    tracker: Start,
    tmp_path: Path,
    wait_until: Wait,
    told: str,
) -> None:
    files = [particles(tmp_path, 1, 3), "particles/grid/m1_picks.mrcs", particles(tmp_path, 2, 2)]
    job = ExportJob("particles-1", "particles", "collecting", 2, 2, 0, {}, files)
    peer = peers([named(1), named(2)])
    if told == "by an event":
        tracker()
        wait_until(lambda: (tmp_path / "movies.star").is_file(), what="first files")
        peer.jobs["particles-1"] = job
        peer.publish("export.collecting", ExportEvent(replace(job, files=[])))
    else:
        peer.jobs["particles-1"] = job
        tracker()
    wait_until(lambda: peer.collected == [("particles-1", "particles.star")], what="summary told")
    read = starfile.read(tmp_path / "particles.star", always_dict=True)
    assert read["particles"]["rlnImageName"].tolist()[3] == "000001@particles/grid/m2_picks.mrcs"
    assert len(read["particles"]) == 5


def test_particle_files_of_other_optics_are_another_group_and_bad_ones_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = [
        particles(tmp_path, 1, 2),
        particles(tmp_path, 2, 1, box=128),
        particles(tmp_path, 3, 2),
        "none.star",
        "../x",
    ]
    (tmp_path / "bad.star").write_text("no star")
    assert collect_particles(tmp_path, [*files, "bad.star"], "particles.star") == 5
    read = starfile.read(tmp_path / "particles.star", always_dict=True)
    assert read["optics"]["rlnImageSize"].tolist() == [64, 128]
    assert read["optics"]["rlnOpticsGroupName"].tolist() == ["opticsGroup1", "opticsGroup2"]
    assert read["particles"]["rlnOpticsGroup"].tolist() == [1, 1, 2, 1, 1]
    assert caplog.text.count("left out of the particles") == 3
    assert collect_particles(tmp_path, [], "particles.star") == 0
    assert len(starfile.read(tmp_path / "particles.star")) == 0


def test_with_the_real_scheduler_files_agree_and_a_job_outlives_both(
    free_ports: Callable[[int], list[int]], tmp_path: Path, wait_until: Wait
) -> None:
    """File to rows over the real control port, worker port and hub; the tracker starts when the job waits already."""
    ports = Endpoints("127.0.0.1", *free_ports(4))
    data, processing = tmp_path / "data", tmp_path / "processing"
    data.mkdir()
    processing.mkdir()
    fragment = particles(processing, 7, 4)
    with ExitStack() as running:
        running.callback(ended(run_scheduler, ports, data, processing))
        client = running.enter_context(RequestClient(ports.control, "test", timeout_s=3.0))
        client.request(PatchSettings({"picking": {"diameter": 100.0}}))
        client.request(RegisterFiles([FoundFile("grid/m7.tif", 1000, 1), FoundFile("grid/m8.tif", 1000, 1)]))
        worker = running.enter_context(closing(Dealer(ports.workers, b"w", "w")))
        worker.send(RegisterWorker("w", "1", "host", 1, "cpu", 0, {}))
        worker.send(PullTasks("w", 2))

        def assigned() -> Iterator[AssignTask]:
            for envelope in worker.receive():
                message = read_message(envelope.type, envelope.body)
                if isinstance(message, AssignTask):
                    yield message

        def all_processed() -> bool:
            for task in assigned():
                if task.name == "grid/m7":
                    worker.send(TaskFinished("w", task.lease, task.run, RESULTS, {"export": ["average/grid/m7.mrc"]}))
                else:
                    worker.send(TaskFailed("w", task.lease, "input", "load", "grid/m8.tif: is empty"))
                worker.send(PullTasks("w", 2))
            status = client.request(GetProcessing())
            assert isinstance(status, ProcessingStatus)
            return status.counts.get("processed") == 1 and status.counts.get("failed") == 1

        wait_until(all_processed, what="one movie done, one failed")
        client.request(StartExport("particles"))

        def exported() -> bool:
            for task in assigned():
                worker.send(TaskFinished("w", task.lease, task.run, {}, {"export": [fragment]}))
            job = client.request(GetExport("particles-1"))
            assert isinstance(job, ExportJob)
            return job.state == "collecting"

        wait_until(exported, what="job waits for its summary")
        running.callback(ended(run_tracker, ports, processing, debounce_s=0.02))

        def job_state() -> str:
            job = client.request(GetExport("particles-1"))
            assert isinstance(job, ExportJob)
            return job.state

        wait_until(lambda: job_state() == "done", what="job done")
        assert len(starfile.read(processing / "particles.star", always_dict=True)["particles"]) == 4
        wait_until(lambda: micrographs(processing) == ["average/grid/m7.mrc"], what="row")
        wait_until(lambda: (processing / "movies.star").is_file(), what="movies.star")
        movies = starfile.read(processing / "movies.star", always_dict=True)["movies"]
        assert movies["rlnMicrographMovieName"].tolist() == ["../data/grid/m7.tif"]
        assert [one["Path"] for one in items(processing) or []] == ["grid/m7.tif"]
        (failed,) = items(processing, "failed_items.json") or []
        assert (failed["Path"], failed["Step"]) == ("grid/m8.tif", "load")
        client.request(SelectItem("grid/m7", "exclude"))
        wait_until(lambda: micrographs(processing) == [], what="choice of the user")
        wait_until(lambda: [one["ProcessingStatus"] for one in items(processing) or []] == [5], what="status of it")


def ended(run: Callable[..., object], *arguments: object, **options: object) -> Callable[[], None]:
    """Runs a service in a thread; what is returned ends it."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=arguments, kwargs={**options, "stop": stop})
    thread.start()

    def end() -> None:
        stop.set()
        thread.join(15)
        assert not thread.is_alive()

    return end
