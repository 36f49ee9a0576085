"""The running scheduler: real sockets, real files, a real database."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import zmq

from warpcore.bus import messages as wire
from warpcore.bus.client import RefusedError, RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.events import EventHub, Subscriber
from warpcore.bus.router import Router
from warpcore.bus.schema import Message, read_message
from warpcore.bus.sockets import BindError
from warpcore.services.scheduler.shell.service import Service, run_scheduler
from warpcore.services.scheduler.shell.session import Session, SessionError
from warpcore.services.scheduler.store.database import StateError
from warpcore.services.session.generations import Generation, keep
from warpcore.services.session.settings import SettingsError, parse_settings

WaitUntil = Callable[..., None]


class Site:
    """A data and a processing directory, and where the scheduler of both is."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.data = folder / "data"
        self.processing = folder / "processing"
        self.data.mkdir()
        self.processing.mkdir()
        self.endpoints = Endpoints("127.0.0.1", *ports)

    @contextmanager
    def running(self, **options: Any) -> Iterator[RequestClient]:
        """The scheduler in a thread, and a client of it. What ends it is raised here."""
        stop = threading.Event()
        ended: list[BaseException] = []

        def run() -> None:
            try:
                run_scheduler(self.endpoints, self.data, self.processing, stop=stop, **options)
            except BaseException as error:  # noqa: BLE001 - raised again below
                ended.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        client = RequestClient(self.endpoints.control, "test", timeout_s=3.0)
        try:
            yield client
        finally:
            client.close()
            stop.set()
            thread.join(10)
            assert not thread.is_alive()
            if ended:
                raise ended[0]


class WorkerSide:
    """The worker's side of the wire, without any computing; its outputs are empty files."""

    def __init__(self, site: Site, name: str, instance: str = "1") -> None:
        self.processing = site.processing
        self.name = name
        self.instance = instance
        self.dealer = Dealer(site.endpoints.workers, f"{name}#{instance}".encode(), name)
        self.inbox: list[Message] = []

    def register(self, leases: list[int] | None = None) -> None:
        self.dealer.send(wire.RegisterWorker(self.name, self.instance, "host", 1, "cpu", 0, {}, leases or []))

    def got(self, kind: type[Message]) -> list[Any]:
        for envelope in self.dealer.receive():
            self.inbox.append(read_message(envelope.type, envelope.body))
        return [message for message in self.inbox if isinstance(message, kind)]

    def finish(self, task: wire.AssignTask) -> None:
        results = {step: {"resolution_angstrom": 4.0} for step in task.run}
        outputs = {step: [f"{step}/{task.name}.mrc"] for step in task.run}
        for step in task.run:
            output = self.processing / outputs[step][0]
            output.parent.mkdir(exist_ok=True)
            output.touch()
        self.dealer.send(wire.TaskFinished(self.name, task.lease, task.run, results, outputs))


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


def files(*paths: str, size: int = 100) -> wire.RegisterFiles:
    return wire.RegisterFiles([wire.FoundFile(path, size, 5) for path in paths])


def ask(client: RequestClient, message: Message) -> Any:
    return client.request(message)


def test_a_movie_goes_from_file_to_result(site: Site, wait_until: WaitUntil) -> None:
    worker = WorkerSide(site, "w")
    with site.running() as client, Subscriber(site.endpoints.events_out, ["movie."]) as events:
        events_seen: list[Envelope] = []
        assert ask(client, files("a.tif")).added == 1
        worker.register()
        worker.dealer.send(wire.PullTasks("w", 2))
        wait_until(lambda: worker.got(wire.AssignTask), what="assignment")
        (task,) = worker.got(wire.AssignTask)
        assert task.settings["import"]["data"] == str(site.data)
        worker.dealer.send(wire.TaskProgress("w", task.lease, "a", "motion", 0.5))
        worker.dealer.send(wire.CommitTask("w", task.lease))
        wait_until(lambda: worker.got(wire.CommitAnswer), what="commit")
        assert worker.got(wire.CommitAnswer)[0].granted
        worker.finish(task)
        wait_until(lambda: worker.got(wire.Ok), what="answer to finished")
        item = ask(client, wire.GetItem("a"))
        assert item.movie.status == "processed"
        assert [line["text"].split(":")[0] for line in item.story][-1] == "processing → processed"

        def done() -> bool:
            events_seen.extend(events.drain())
            return any(event.type == "movie.done" for event in events_seen)

        wait_until(done, what="movie.done event")
        changes = ask(client, wire.GetChanges(0))
        assert [change.seq for change in changes.changes] == list(range(1, changes.head + 1))
        published = {event.seq: event.body for event in events_seen}
        logged = {change.seq: change.body for change in changes.changes}
        assert all(logged[seq] == body for seq, body in published.items())
    worker.dealer.close()


def test_a_request_sent_twice_is_carried_out_once_and_answered_twice(site: Site, wait_until: WaitUntil) -> None:
    with site.running() as client:
        assert ask(client, files("a.tif")).added == 1
        with Dealer(site.endpoints.control, b"twice", "test") as dealer:
            answers: list[Message] = []

            def received(count: int) -> bool:
                answers.extend(read_message(one.type, one.body) for one in dealer.receive())
                return len(answers) >= count

            dealer.send(files("b.tif"), id="same")
            wait_until(lambda: received(1))
            dealer.send(files("b.tif"), id="same")
            wait_until(lambda: received(2))
        assert answers == [wire.FilesRegistered(1, 0, 0)] * 2


def test_after_a_restart_everything_goes_on_and_a_lease_is_kept(site: Site, wait_until: WaitUntil) -> None:
    worker = WorkerSide(site, "w")
    with site.running() as client:
        ask(client, files("a.tif", "b.tif"))
        ask(client, wire.PatchSettings({"ctf": {"range_max": 5.0}}))
        worker.register()
        worker.dealer.send(wire.PullTasks("w", 1))
        wait_until(lambda: worker.got(wire.AssignTask))
        epoch = ask(client, wire.GetSnapshot()).epoch
    (task,) = worker.got(wire.AssignTask)
    with site.running() as client:
        snapshot = ask(client, wire.GetSnapshot())
        assert snapshot.epoch == epoch
        assert snapshot.settings["ctf"]["range_max"] == 5.0
        assert [movie.status for movie in snapshot.movies] == ["queued", "unprocessed"]

        def unknown() -> list[Any]:
            worker.dealer.send(wire.Heartbeat("w", "busy", [task.lease]))
            return worker.got(wire.UnknownWorker)

        wait_until(unknown, what="worker.unknown")
        worker.register([task.lease])
        wait_until(lambda: len(worker.got(wire.WorkerRegistered)) == 2)
        assert worker.got(wire.WorkerRegistered)[-1].leases == [task.lease]
        worker.finish(task)
        wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed")
    worker.dealer.close()


def test_outputs_that_vanished_while_nobody_looked_are_made_again(site: Site, wait_until: WaitUntil) -> None:
    worker = WorkerSide(site, "w")
    with site.running() as client:
        ask(client, files("a.tif", "b.tif"))
        worker.register()
        worker.dealer.send(wire.PullTasks("w", 2))
        wait_until(lambda: len(worker.got(wire.AssignTask)) == 2)
        for task in worker.got(wire.AssignTask):
            worker.finish(task)
        wait_until(lambda: ask(client, wire.GetProcessing()).counts["processed"] == 2)
    worker.dealer.close()
    (site.processing / "ctf" / "b.mrc").unlink()
    with site.running(paused=True) as client:
        wait_until(lambda: ask(client, wire.GetItem("b")).movie.status == "outdated")
        assert ask(client, wire.GetItem("b")).movie.outdated_steps == ["ctf", "export"]
        assert ask(client, wire.GetItem("a")).movie.status == "processed"


def test_bad_settings_change_nothing_and_say_which(site: Site) -> None:
    with site.running() as client:
        before = ask(client, wire.GetSettings())
        cases: list[tuple[Message, str]] = [
            (wire.PatchSettings({"ctf": {"voltage": -5.0}}), "ctf.voltage"),
            (wire.PatchSettings({"ctf": {"volts": 300}}), "ctf.volts"),
            (wire.PatchSettings({"ctf": 7}), "ctf"),
            (wire.PutSettings({"import": {"gain_path": "/nowhere/gain.mrc"}}), "import.gain_path"),
            (wire.PutSettings({"import": {"data": "/elsewhere"}}), "import.data"),
        ]
        for message, name in cases:
            with pytest.raises(RefusedError) as refused:
                client.request(message)
            assert refused.value.error.code == "invalid"
            assert [fault["name"] for fault in refused.value.error.errors] == [name]
        assert ask(client, wire.GetSettings()) == before
        changed = ask(client, wire.PutSettings({"ctf": {"voltage": 200.0}}))
        assert changed.revision == before.revision + 1
        assert changed.settings["import"]["data"] == str(site.data)


def image(path: Path, shape: tuple[int, ...], value: float = 1) -> None:
    with mrcfile.new(path, overwrite=True) as file:
        file.set_data(np.full(shape, value, np.float32))


def test_a_gain_of_another_size_is_refused_when_it_is_set(site: Site) -> None:
    image(site.data / "a.mrc", (3, 64, 96))
    gain = site.data.parent / "gain.mrc"
    with site.running(paused=True) as client:
        ask(client, files("a.mrc"))
        for shape, transpose, problem in (
            ((64, 64), False, "64 × 64 px, the movie 96 × 64 px"),
            ((96, 64), False, "64 × 96 px, the movie 96 × 64 px"),
            ((96, 64), True, ""),
        ):
            image(gain, shape)
            message = wire.PatchSettings({"import": {"gain_path": str(gain), "gain_transpose": transpose}})
            if problem:
                with pytest.raises(RefusedError, match=problem) as refused:
                    client.request(message)
                assert [fault["name"] for fault in refused.value.error.errors] == ["import.gain_path"]
            else:
                assert ask(client, message).settings["import"]["gain_path"] == str(gain)
        gain.write_bytes(b"no image")
        with pytest.raises(RefusedError, match=r"import.gain_path"):
            client.request(wire.PatchSettings({"import": {"gain_flip_x": True}}))


def test_outputs_of_earlier_settings_are_put_back_on_disk(site: Site, wait_until: WaitUntil) -> None:
    worker = WorkerSide(site, "w")
    average = site.processing / "average" / "a.mrc"
    average.parent.mkdir()

    def work(count: int, content: str) -> None:
        wait_until(lambda: len(worker.got(wire.AssignTask)) == count, what="assignment")
        task = worker.got(wire.AssignTask)[-1]
        kept = keep(site.processing, "a", Generation(task.stored, task.results, task.outputs)) if task.stored else []
        average.unlink(missing_ok=True)
        average.write_text(content)
        results: dict[str, Any] = {step: {"made": content} for step in task.run}
        outputs = {step: ["average/a.mrc"] if step == "export" else [] for step in task.run}
        worker.dealer.send(wire.TaskFinished("w", task.lease, task.run, results, outputs, kept=kept))
        wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed")

    with site.running() as client:
        ask(client, files("a.tif"))
        worker.register()
        worker.dealer.send(wire.PullTasks("w", 1))
        work(1, "first")
        first = ask(client, wire.GetItem("a")).movie
        ask(client, wire.PatchSettings({"ctf": {"range_max": 5.0}}))
        work(2, "second")
        for value, content in ((4.0, "first"), (5.0, "second"), (4.0, "first")):
            ask(client, wire.PatchSettings({"ctf": {"range_max": value}}))
            wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed")
            assert average.read_text() == content
        assert ask(client, wire.GetItem("a")).movie == first
        assert len(worker.got(wire.AssignTask)) == 2, "nothing ran"
    worker.dealer.close()


def test_a_gain_replaced_on_disk_makes_its_movies_outdated_at_the_next_start(site: Site, wait_until: WaitUntil) -> None:
    gain = site.data.parent / "gain.mrc"
    image(gain, (64, 64))
    worker = WorkerSide(site, "w")
    settings = parse_settings({"import": {"gain_path": str(gain)}})
    with site.running(settings=settings) as client:
        ask(client, files("a.tif"))
        worker.register()
        worker.dealer.send(wire.PullTasks("w", 1))
        wait_until(lambda: worker.got(wire.AssignTask))
        worker.finish(worker.got(wire.AssignTask)[0])
        wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed")
    worker.dealer.close()
    gain.unlink()
    with site.running() as client:
        assert ask(client, wire.GetProcessing()).counts["outdated"] == 0
    image(gain, (64, 64), value=2)
    with site.running() as client:
        assert ask(client, wire.GetItem("a")).movie.status == "outdated"


def test_what_is_malformed_is_counted_and_everything_goes_on(site: Site, wait_until: WaitUntil) -> None:
    frames = [
        b"",
        os.urandom(200),
        b"x" * (2 * 1024 * 1024),
        encode(Envelope("no.such", {}, "test")),
        encode(Envelope("files.register", {}, "test")),
        encode(Envelope("files.register", {"files": [{"path": 7}]}, "test")),
        encode(Envelope("task.finished", {"worker": "w"}, "test")),
    ]
    with site.running() as client:
        before = ask(client, wire.GetHealth()).malformed
        context = zmq.Context.instance()
        for name, address in (("workers", site.endpoints.workers), ("control", site.endpoints.control)):
            with context.socket(zmq.DEALER) as dealer:
                dealer.setsockopt(zmq.LINGER, 0)
                dealer.connect(address)
                for frame in frames:
                    dealer.send(frame)
                dealer.send_multipart([b"two", b"frames"])
                sent = before[name] + len(frames) + 1
                wait_until(
                    lambda name=name, sent=sent: ask(client, wire.GetHealth()).malformed[name] == sent, what=name
                )
        assert ask(client, files("a.tif")).added == 1


def test_a_request_of_the_wrong_kind_is_refused(site: Site) -> None:
    with site.running() as client:
        for message in (wire.Ok(), wire.PullTasks("w", 1)):
            with pytest.raises(RefusedError) as refused:
                client.request(message)
            assert refused.value.error.code == "unknown_type"


@contextmanager
def opened(site: Site) -> Iterator[tuple[Session, RequestClient]]:
    """A running service whose state the test can reach."""
    ports = site.endpoints
    stop = threading.Event()
    with (
        Router(ports.workers, "workers") as workers,
        Router(ports.control, "control") as control,
        EventHub(ports.events_in, ports.events_out) as hub,
    ):
        sessions: list[Session] = []

        def run() -> None:
            # SQLite wants its database used by the thread that opened it.
            with closing(Session(site.data, site.processing)) as session:
                sessions.append(session)
                Service(session, workers, control, hub).run(stop)

        thread = threading.Thread(target=run)
        thread.start()
        client = RequestClient(ports.control, "test", timeout_s=3.0)
        try:
            ask(client, wire.GetHealth())
            yield sessions[0], client
        finally:
            stop.set()
            thread.join(10)
            client.close()


def test_a_decision_at_fault_is_answered_and_undone(site: Site) -> None:
    with opened(site) as (session, client):
        ask(client, files("a.tif"))
        session.state.by_name["a"].status = "processed"
        session.state.by_name["a"].results = {"ctf": {"defocus_um": "deep"}}
        with pytest.raises(RefusedError) as refused:
            client.request(wire.SelectItem("a", "include"))
        assert refused.value.error.code == "internal"
        assert ask(client, wire.GetItem("a")).movie.status == "unprocessed"
        assert ask(client, wire.SelectItem("a", "include")).movie.selection == "include"


def test_what_cannot_be_stored_is_not_acknowledged_and_not_done(site: Site) -> None:
    with opened(site) as (session, client):
        ask(client, files("a.tif"))
        with closing(sqlite3.connect(session.store.path, isolation_level=None)) as other:
            other.execute("ALTER TABLE changes RENAME TO gone")
            with pytest.raises(RefusedError, match=r"state\.db cannot be written: no such table"):
                client.request(files("b.tif"))
            assert ask(client, wire.GetSummary()).total == 1
            other.execute("ALTER TABLE gone RENAME TO changes")
        assert ask(client, files("b.tif")).added == 1


def test_one_scheduler_a_processing_directory(site: Site, free_ports: Callable[[int], list[int]]) -> None:
    with site.running() as client:
        ask(client, wire.GetHealth())
        other = Endpoints("127.0.0.1", *free_ports(4))
        with pytest.raises(SessionError, match=r"in use by the scheduler of process \d+ on "):
            run_scheduler(other, site.data, site.processing, stop=threading.Event())


def test_a_port_in_use_is_one_clear_line(site: Site, tmp_path: Path) -> None:
    with site.running() as client:
        ask(client, wire.GetHealth())
        with pytest.raises(BindError, match="port is in use"):
            run_scheduler(site.endpoints, site.data, tmp_path / "other", stop=threading.Event())


def test_directories_that_will_not_do(site: Site, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(SessionError, match=r"data directory .*missing does not exist"):
        run_scheduler(site.endpoints, tmp_path / "missing", site.processing, stop=stop)
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(SessionError, match=r"processing directory .*file cannot be written: Not a directory"):
        run_scheduler(site.endpoints, site.data, blocked, stop=stop)
    run_scheduler(site.endpoints, site.data, site.processing, stop=stop)
    with pytest.raises(StateError, match=r"belongs to data directory .*data, not "):
        run_scheduler(site.endpoints, tmp_path, site.processing, stop=stop)
    with pytest.raises(SettingsError, match=r"import.gain_path = '/nowhere': cannot be read: No such file"):
        run_scheduler(
            site.endpoints,
            site.data,
            site.processing,
            settings=parse_settings({"import": {"gain_path": "/nowhere"}}),
            stop=stop,
        )


RUN = """
import sys, threading
from pathlib import Path
from warpcore.bus.endpoints import Endpoints
from warpcore.services.scheduler.shell.service import Service, run_scheduler
run_scheduler(Endpoints("127.0.0.1", *map(int, sys.argv[3:])), Path(sys.argv[1]), Path(sys.argv[2]), stop=threading.Event())
"""


def test_killed_at_any_moment_it_has_all_that_it_acknowledged(site: Site) -> None:
    ports = (
        site.endpoints.controller_port,
        site.endpoints.control_port,
        site.endpoints.events_in_port,
        site.endpoints.events_out_port,
    )
    command = [sys.executable, "-c", RUN, str(site.data), str(site.processing), *map(str, ports)]
    acknowledged = 0
    for moment in range(3):
        process = subprocess.Popen(command)
        client = RequestClient(site.endpoints.control, "test", timeout_s=2.0, attempts=5)
        try:
            assert ask(client, wire.GetSummary()).total >= acknowledged
            total = ask(client, wire.GetSummary()).total
            threading.Timer(0.05 + 0.07 * moment, process.send_signal, [signal.SIGKILL]).start()
            impatient = RequestClient(site.endpoints.control, "test", timeout_s=0.3, attempts=1)
            try:
                while True:
                    batch = [f"m{total + number:06d}.tif" for number in range(50)]
                    acknowledged = total = total + ask(impatient, files(*batch)).added
            except TimeoutError:
                pass
            finally:
                impatient.close()
        finally:
            client.close()
            process.kill()
            process.wait(10)
    with site.running() as client:
        total = ask(client, wire.GetSummary()).total
        assert total >= acknowledged > 0
        assert total % 50 == 0, "a batch is registered as a whole or not at all"
        names = [file.path for file in ask(client, wire.GetKnownFiles()).files]
        assert len(set(names)) == len(names)
