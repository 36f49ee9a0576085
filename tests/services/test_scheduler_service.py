"""The running scheduler: real sockets, real files, a real database."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files, listening
from warpcore.bus import messages as wire
from warpcore.bus.client import RefusedError
from warpcore.bus.dealer import Dealer
from warpcore.bus.envelope import Envelope
from warpcore.bus.schema import Message, read_message
from warpcore.services.scheduler.core import merging
from warpcore.services.session.settings import parse_settings
from warpcore.services.steps.export import AVERAGE


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


def test_a_movie_goes_from_file_to_result(site: Site, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merging, "EVERY_S", 600.0)  # however long a commit takes, progress waits for the results
    worker = WorkerSide(site, "w")
    with site.running() as client, listening(site, wait_until, "movie.", "task.") as events:
        events_seen: list[Envelope] = []
        assert ask(client, files("a.tif")).added == 1
        worker.register()
        worker.dealer.send(wire.PullTasks("w", 2))
        wait_until(lambda: worker.got(wire.AssignTask), what="assignment")
        (task,) = worker.got(wire.AssignTask)
        assert task.settings["import"]["data"] == str(site.data)
        for fraction in (0.5, 0.9):
            worker.dealer.send(wire.TaskProgress("w", task.lease, "a", "motion", fraction))
        worker.finish(task)
        wait_until(lambda: worker.got(wire.Ok), what="answer to finished")
        wait_until(lambda: ask(client, wire.GetItem("a")).movie.status == "processed", what="its files in place")
        assert (site.processing / "motion" / "a.json").exists()
        item = ask(client, wire.GetItem("a"))
        assert [line["text"].split(":")[0] for line in item.story][-1] == "processing → processed"

        def done() -> bool:
            events_seen.extend(events.drain())
            return any(event.type == "movie.done" for event in events_seen)

        wait_until(done, what="movie.done event")
        changes = ask(client, wire.GetChanges(0))
        assert [change.seq for change in changes.changes] == list(range(1, changes.head + 1))
        progress = [event.body["fraction"] for event in events_seen if event.type == "task.progress"]
        assert progress in ([0.5], []), "what waits when the results come is told no more"
        published = {event.seq: event.body for event in events_seen if event.seq}
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
    (site.processing / "powerspectrum" / "b.mrc").unlink()
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
    gain = site.data / "gain.mrc"
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

    def work(count: int, content: str) -> None:
        wait_until(lambda: len(worker.got(wire.AssignTask)) == count, what="assignment")
        task = worker.got(wire.AssignTask)[-1]
        results: dict[str, Any] = {step: {"made": content} for step in task.run}
        worker.report(task, results, {"export": {AVERAGE.pattern: content.encode()}})
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
    gain = site.data / "gain.mrc"
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


def test_a_session_that_is_known_begins_while_its_data_directory_is_away(site: Site, wait_until: WaitUntil) -> None:
    with site.running() as client:
        ask(client, files("a.tif"))
    away = site.data.rename(site.data.with_name("away"))
    with site.running() as client:
        wait_until(lambda: ask(client, wire.GetProcessing()).holds, what="hold")
        assert f"data directory {site.data} is away: No such file" in ask(client, wire.GetProcessing()).holds[0]
        away.rename(site.data)
        wait_until(lambda: not ask(client, wire.GetProcessing()).holds, what="the end of the hold")
