"""A run of the real scheduler is recorded, and its replay finds what the machine would do otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgpack
import pytest

from tests.services.reports import whole
from tests.services.scheduler_learner import PICKS, learners, told
from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files
from warpcore.bus import messages as wire
from warpcore.bus.client import RefusedError, RequestClient
from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.scheduler.core.effects import SaveMovie
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.rows import movie_row
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.recording import FORMAT, Recorder, RecordError
from warpcore.services.scheduler.store.replaying import replay
from warpcore.services.session.fingerprints import wanted_fingerprints
from warpcore.services.session.settings import Settings


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


@pytest.fixture
def recording(site: Site, tmp_path: Path, wait_until: WaitUntil) -> Path:
    """Two runs: the second begins from a database, and is recorded. Movies, a failure, settings, an export, a pause."""
    path = tmp_path / "run.record"

    def task(name: str) -> wire.AssignTask:
        def assigned() -> list[Any]:
            return [one for one in worker.got(wire.AssignTask) if one.name == name]

        wait_until(assigned, what=f"assignment of {name}")
        found: wire.AssignTask = assigned()[-1]
        return found

    with site.running() as client:
        ask(client, files("a.tif", "b.tif"))
        ask(client, wire.PatchSettings({"ctf": {"range_max": 5.0}}))
    with site.running(record=path) as client:
        # Connected only now: a registration sent on a connection to the first run would be lost with it.
        worker = WorkerSide(site, "w")
        worker.register()
        worker.dealer.send(wire.PullTasks("w", 2))
        worker.finish(task("a"))
        worker.dealer.send(wire.TaskFailed("w", task("b").lease, "input", "load", "it is truncated"))
        wait_until(lambda: ask(client, wire.GetItem("b")).movie.status == "failed")
        ask(client, files("c.tif"))
        worker.finish(task("c"))
        wait_until(lambda: ask(client, wire.GetItem("c")).movie.status == "processed")
        ask(client, wire.StartExport("micrographs"))
        ask(client, wire.PauseProcessing())
        ask(client, wire.PatchSettings({"filter": {"resolution_max": 3.0}}))
        with pytest.raises(RefusedError):
            client.request(wire.GetItem("nobody"))
        worker.dealer.send(wire.Goodbye("w"))
        wait_until(lambda: ask(client, wire.GetWorkers()).workers[0].state == "lost")
    worker.dealer.close()
    return path


def records(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        return list(msgpack.Unpacker(file))


def write(path: Path, changed: list[dict[str, Any]]) -> Path:
    path.write_bytes(b"".join(msgpack.packb(one) for one in changed))
    return path


def replayed(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "warpcore.cli.main", "scheduler-replay", "--check", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_replay_of_a_real_run_is_equal(recording: Path) -> None:
    done = replay(recording, check=True)
    assert (done.difference, done.note) == (None, "")
    assert done.stimuli > 15
    assert done.stimuli == sum("stimulus" in one for one in records(recording))
    ended = replayed(recording)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert f"{done.stimuli} stimuli: all effects are equal" in ended.stderr


def test_an_edited_stimulus_is_found(recording: Path) -> None:
    changed = records(recording)
    (report,) = [
        one["stimulus"]
        for one in changed
        if "stimulus" in one and one["stimulus"]["stimulus"].get("message", {}).get("type") == "task.failed"
    ]
    report["stimulus"]["message"]["body"]["message"] = "it is whole"
    write(recording, changed)
    ended = replayed(recording)
    assert ended.returncode == 1
    line = ended.stderr.strip()
    assert f"stimulus {report['number']} (task.failed from w#1, effect " in line
    assert "expected Publish task.lost" in line
    assert "came Publish task.lost" in line


def test_another_effect_is_found(recording: Path) -> None:
    changed = records(recording)
    place = next(place for place, one in enumerate(changed) if one.get("effects"))
    changed[place]["effects"].pop()
    difference = replay(write(recording, changed)).difference
    assert difference is not None
    assert difference.number == changed[place - 1]["stimulus"]["number"]
    assert difference.expected == "no more effects"


def test_a_file_that_a_crash_cut_off_is_replayed_to_its_end(recording: Path) -> None:
    whole = recording.read_bytes()
    recording.write_bytes(whole[:-3])
    done = replay(recording)
    assert done.difference is None
    assert "ends within stimulus" in done.note or "cut off" in done.note
    last = max(place for place, one in enumerate(records(recording)) if "stimulus" in one)
    done = replay(write(recording, records(recording)[: last + 1]))
    assert "the recording ends within stimulus" in done.note


def test_an_error_is_recorded_and_is_the_same_again(recording: Path) -> None:
    changed = records(recording)
    place = next(place for place, one in enumerate(changed) if one.get("effects"))
    changed[place] = {"raised": "IllegalTransition('a: …')"}
    difference = replay(write(recording, changed)).difference
    assert difference is not None
    assert difference.expected == "an error, IllegalTransition('a: …')"


def test_a_fault_of_a_real_run_is_in_its_recording(site: Site, tmp_path: Path) -> None:
    """A stored result that nobody can judge makes a retry fail: the state is restored, and all of it happens again."""
    record, path = tmp_path / "fault.record", site.processing / ".warpcore" / "state.db"
    made_with = wanted_fingerprints(Settings(), 100, 5)
    results = {"ctf": {"defocus_u_angstrom": "deep", "defocus_v_angstrom": 1.0}}
    bad = MovieRecord(1, "a", "a.tif", 100, 5, MovieStatus.FAILED, results=results, fingerprints=made_with)
    bad.failure = wire.Failure("poisoned", "ctf", "it has cost 2 workers", "host")
    path.parent.mkdir()
    with closing(Store(path, data_directory=str(site.data), processing_directory=str(site.processing))) as store:
        store.stage([SaveMovie(movie_row(bad))])
        store.commit()
    with site.running(record=record) as client:
        ask(client, files("b.tif"))
        ask(client, wire.PatchSettings({"filter": {"limits": {"ctf.astigmatism_angstrom": [None, 100.0]}}}))
        for _ in range(2):
            with pytest.raises(RefusedError, match=r"item\.retry could not be handled"):
                client.request(wire.RetryItem("a"))
        assert ask(client, wire.GetItem("a")).movie.status == "failed"
        assert ask(client, wire.GetSummary()).total == 2
    assert sum("raised" in one for one in records(record)) == 2
    assert sum("state" in one for one in records(record)) == 3
    done = replay(record, check=True)
    assert (done.difference, done.note) == (None, "")


def test_what_was_learnt_is_in_a_recording_and_its_replay_is_equal(
    site: Site, tmp_path: Path, wait_until: WaitUntil
) -> None:
    """Two runs: a choice is made in the first, and the second begins with it."""
    names, paths = ["a", "b", "c"], [tmp_path / "first.record", tmp_path / "second.record"]
    worker, done = WorkerSide(site, "w"), set[int]()

    def settled(client: RequestClient) -> bool:
        for task in [one for one in worker.got(wire.AssignTask) if one.lease not in done]:
            done.add(task.lease)
            results = {step: told(task, step, 2.0) for step in task.run}
            worker.dealer.send(wire.TaskFinished("w", task.lease, task.run, whole(results), {}))
        status = ask(client, wire.GetProcessing())
        return bool(status.left == 0 and status.learnt[0].movies == names and status.learnt[0].id)

    with learners():
        for threshold, record in zip((0.3, 0.4), paths, strict=True):
            with site.running(record=record, settings=PICKS) as client:
                ask(client, files(*(f"{name}.tif" for name in names)))
                worker.register()
                worker.dealer.send(wire.PullTasks("w", 2))
                wait_until(partial(settled, client), what="the choice, and all movies with it")
                ask(client, wire.PatchSettings({"picking": {"threshold": threshold}}))
                wait_until(partial(settled, client), what="another threshold")
        for record in paths:
            replayed = replay(record, check=True)
            assert (replayed.difference, replayed.note) == (None, "")
    worker.dealer.close()
    assert "choices" in [one["rows"]["table"] for one in records(paths[1]) if "rows" in one]


def test_what_is_no_recording_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "x"
    for content, problem in (
        (b"", "is no recording"),
        (b"hello world", "is no recording"),
        (msgpack.packb({"head": {"format": 99}}), "has format 99"),
        (msgpack.packb({"head": {"format": FORMAT}}) + msgpack.packb({"stimulus": {}}), "damaged|before any state"),
    ):
        path.write_bytes(content)
        with pytest.raises(RecordError, match=problem):
            replay(path)
    with pytest.raises(RecordError, match="cannot be read: No such file"):
        replay(tmp_path / "missing")


def test_a_recording_is_never_written_over(tmp_path: Path) -> None:
    for name in ("r", "r.2", "r.3"):
        recorder = Recorder(tmp_path / "r")
        assert recorder.path.name == name
        recorder.close()
    with pytest.raises(RecordError, match="cannot be written: No such file"):
        Recorder(tmp_path / "missing" / "r")
