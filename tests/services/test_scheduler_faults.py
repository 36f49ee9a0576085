"""The running scheduler when something is wrong: frames, decisions, the disk, the configuration, a kill."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import zmq

from tests.services.reports import whole
from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files, opened, stage
from warpcore.bus import messages as wire
from warpcore.bus.client import RefusedError, RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.sockets import BindError
from warpcore.bus.vocabulary import WorkerState
from warpcore.services.scheduler.core.effects import Send
from warpcore.services.scheduler.core.stimuli import FromControl, FromWorker
from warpcore.services.scheduler.shell.service import run_scheduler
from warpcore.services.scheduler.shell.session import Session, SessionError
from warpcore.services.scheduler.store.schema import StateError
from warpcore.services.session.settings import SettingsError, parse_settings
from warpcore.services.steps.chain import CHAIN


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


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


@contextmanager
def nothing_can_be_stored(session: Session) -> Iterator[None]:
    """As on a full disk: each commit that changes anything fails."""
    with closing(sqlite3.connect(session.store.path, isolation_level=None)) as other:
        other.execute("ALTER TABLE changes RENAME TO gone")
        try:
            yield
        finally:
            other.execute("ALTER TABLE gone RENAME TO changes")


def test_who_only_asks_is_answered_beside_what_cannot_be_stored(site: Site, wait_until: WaitUntil) -> None:
    with opened(site) as (session, client), Dealer(site.endpoints.control, b"other", "other") as other:
        ask(client, files("a.tif"))
        asked = []
        with nothing_can_be_stored(session):
            for number in range(20):
                other.send(files(f"b{number}.tif"))
                asked += [other.send(wire.GetSummary()), other.send(wire.GetItem("a"))]
            answers: dict[str | None, Envelope] = {}

            def all_answered() -> bool:
                answers.update((answer.reply_to, answer) for answer in other.receive())
                return len(answers) == 60

            wait_until(all_answered, what="all answers")
        assert {answers[one].type for one in asked} == {wire.Summary.TYPE, wire.Item.TYPE}
        assert [answer.type for id, answer in answers.items() if id not in asked] == [wire.Error.TYPE] * 20
        assert ask(client, wire.GetSummary()).total == 1


def test_a_failed_commit_forgets_no_worker(site: Site, wait_until: WaitUntil) -> None:
    worker, idle = WorkerSide(site, "w"), WorkerSide(site, "idle")
    with opened(site) as (session, client):
        ask(client, files("a.tif"))
        for one in (worker, idle):
            one.register()
            one.dealer.send(wire.PullTasks(one.name, 1))
        wait_until(lambda: worker.got(wire.AssignTask) or idle.got(wire.AssignTask), what="assignment")
        busy, free = (worker, idle) if worker.got(wire.AssignTask) else (idle, worker)
        (task,) = busy.got(wire.AssignTask)
        busy.dealer.send(wire.TaskProgress(busy.name, task.lease, "a", "ctf", 0.5))
        wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processing")
        with nothing_can_be_stored(session):
            with pytest.raises(RefusedError):
                client.request(files("b.tif"))
            (running,) = ask(client, wire.GetProcessing()).running
            assert (running["step"], running["fraction"]) == ("ctf", 0.5)
            busy.finish(task)
            wait_until(lambda: busy.got(wire.Error), what="an answer to the report")
            assert ask(client, wire.GetItem("a")).movie.status == "processing"
        assert ask(client, files("b.tif")).added == 1
        wait_until(lambda: free.got(wire.AssignTask), what="a task for the worker that had none")
        busy.finish(task)
        wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed")
        assert not busy.got(wire.UnknownWorker)
        assert not free.got(wire.UnknownWorker)
    worker.dealer.close()
    idle.dealer.close()


def test_while_its_state_cannot_be_read_back_all_is_refused_and_then_it_goes_on(
    site: Site, wait_until: WaitUntil
) -> None:
    worker, ending = WorkerSide(site, "w"), WorkerSide(site, "ending")
    with opened(site) as (session, client):
        ask(client, files("a.tif"))
        worker.register()
        worker.dealer.send(wire.PullTasks("w", 1))
        wait_until(lambda: worker.got(wire.AssignTask), what="assignment")
        with closing(sqlite3.connect(session.store.path, isolation_level=None)) as other:
            other.execute("ALTER TABLE movies RENAME TO gone")
            with pytest.raises(RefusedError, match=r"state\.db cannot be written: no such table"):
                client.request(files("b.tif"))
            with pytest.raises(RefusedError, match=r"state\.db cannot be read: no such table"):
                client.request(wire.GetItem("a"))
            ending.dealer.send(wire.Heartbeat("ending", WorkerState.IDLE))
            goodbye = ending.dealer.send(wire.Goodbye("ending"))
            answers: list[Envelope] = []
            wait_until(lambda: answers.extend(ending.dealer.receive()) or answers, what="an answer")
            assert [one.reply_to for one in answers] == [goodbye], "a heartbeat wants no answer"
            other.execute("ALTER TABLE gone RENAME TO movies")
        wait_until(lambda: added(client, "b.tif") == 1, what="the state is read")
        worker.finish(worker.got(wire.AssignTask)[0])
        wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed")
        assert not worker.got(wire.UnknownWorker)
    worker.dealer.close()
    ending.dealer.close()


def added(client: RequestClient, *paths: str) -> int:
    """How many of these files are registered as new; 0 where that is refused."""
    try:
        return int(ask(client, files(*paths)).added)
    except RefusedError:
        return 0


def test_what_the_scheduler_has_seen_itself_is_not_lost_while_nothing_can_be_stored(
    site: Site, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    worker = WorkerSide(site, "w")
    with site.running() as client:
        ask(client, files("a.tif"))
        worker.finish(worker.take(wait_until))
        wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed")
    worker.dealer.close()
    next((site.processing / "powerspectrum").iterdir()).unlink()
    with closing(sqlite3.connect(site.processing / ".warpcore" / "state.db", isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER full BEFORE INSERT ON movies WHEN NEW.status = 'outdated' "
            "BEGIN SELECT RAISE(FAIL, 'database or disk is full'); END"
        )
        with site.running(paused=True) as client:
            wait_until(lambda: "disk is full; nothing of this round counts" in caplog.text, what="a failed commit")
            assert ask(client, wire.GetItem("a")).movie.status == "processed"
            other.execute("DROP TRIGGER full")
            wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "outdated")


def test_what_was_being_placed_when_the_scheduler_died_is_placed_by_the_next_one(
    site: Site, wait_until: WaitUntil
) -> None:
    hello = wire.RegisterWorker("w", "1", "host", 1, "cpu", 0, {})
    with closing(Session(site.data, site.processing)) as session:
        for message in (hello, wire.PullTasks("w", 1)):
            session.decide(FromWorker(b"w", message))
        effects = session.decide(FromControl(files("a.tif")))
        (task,) = [one.message for one in effects if isinstance(one, Send) and isinstance(one.message, wire.AssignTask)]
        pattern = {step: CHAIN[step].outputs[0].pattern for step in task.run}
        stage(site.processing, task.lease, {step: {pattern[step]: b"x"} for step in task.run})
        results = whole({step: {"resolution_angstrom": 4.0} for step in task.run})
        sizes: dict[str, dict[str, int | None]] = {step: {pattern[step]: 1} for step in task.run}
        session.decide(FromWorker(b"w", wire.TaskFinished("w", task.lease, task.run, results, sizes)))
        session.store.commit()
    with site.running() as client:
        wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed")


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


def test_killed_at_any_moment_it_has_all_that_it_acknowledged(site: Site) -> None:
    acknowledged = 0

    def register(client: RequestClient, total: int) -> int:
        """Fifty more; how many there are then."""
        batch = [f"m{total + number:06d}.tif" for number in range(50)]
        return total + int(ask(client, files(*batch)).added)

    for moment in range(3):
        process = subprocess.Popen(site.command)
        client = RequestClient(site.endpoints.control, "test", timeout_s=2.0, attempts=60)
        try:
            total = ask(client, wire.GetSummary()).total
            assert total >= acknowledged
            acknowledged = total = register(client, total)
            threading.Timer(0.05 + 0.07 * moment, process.send_signal, [signal.SIGKILL]).start()
            impatient = RequestClient(site.endpoints.control, "test", timeout_s=0.3, attempts=1)
            try:
                while True:
                    acknowledged = total = register(impatient, total)
            except TimeoutError:
                pass
            finally:
                impatient.close()
        finally:
            client.close()
            process.kill()
            process.wait()
    with site.running() as client:
        total = ask(client, wire.GetSummary()).total
        assert total >= acknowledged
        assert total % 50 == 0, "a batch is registered as a whole or not at all"
        names = [file.path for file in ask(client, wire.GetKnownFiles()).files]
        assert len(set(names)) == len(names)
