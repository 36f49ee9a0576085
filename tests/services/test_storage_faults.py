"""Storage that really hangs and errs: a small file system under the scheduler, the discoverer and a worker."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.services.faulty_folder import FaultyFolder, faulty_folder, needs_fuse
from tests.services.movie_files import write_tiff
from tests.services.notifier.receivers import Hook
from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, status
from tests.waiting import crowd, wait_for_end
from warpcore.bus import messages as wire
from warpcore.bus.client import RefusedError, RequestClient
from warpcore.bus.events import Subscriber
from warpcore.bus.messages import ServiceEvent
from warpcore.services.discoverer.service import run_discoverer
from warpcore.services.notifier.service import run_notifier
from warpcore.services.notifier.state import Pace
from warpcore.services.scheduler.shell import preparing
from warpcore.services.scheduler.shell import storage as storage_watch
from warpcore.services.storage.looking import DataFolder, KnownFile, ProcessingFolder
from warpcore.services.tracker import service as tracking
from warpcore.services.worker import seeing

pytestmark = needs_fuse
SILENT_S = 1.0
"""How soon these tests take a folder for one that hangs; 10 s in a session."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyFolder]:
    with faulty_folder(tmp_path_factory.mktemp("faulty")) as mounted:
        yield mounted


@pytest.fixture
def faulty(folder: FaultyFolder, wait_until: WaitUntil) -> Iterator[FaultyFolder]:
    """The folder, empty and without faults."""

    def is_empty() -> bool:
        """A look of the test before, which hung until its end, may still write."""
        for path in folder.backing.iterdir():
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        return not any(folder.backing.iterdir())

    wait_until(is_empty, what="an empty folder")
    yield folder
    folder.is_well()


@pytest.fixture
def site(
    tmp_path: Path, free_ports: Callable[[int], list[int]], faulty: FaultyFolder, monkeypatch: pytest.MonkeyPatch
) -> Site:
    """A scheduler's folders; the data directory is the faulty one."""
    monkeypatch.setattr(storage_watch, "SILENT_S", SILENT_S)
    monkeypatch.setattr(storage_watch, "LOOK_EVERY_S", 0.5)
    monkeypatch.setattr(preparing, "SILENT_S", SILENT_S)
    monkeypatch.setattr(seeing, "SILENT_S", SILENT_S)
    site = Site(tmp_path, free_ports(4))
    site.data = faulty.path
    return site


def put(faulty: FaultyFolder, *names: str) -> list[wire.FoundFile]:
    """Small movies in the data directory, as the discoverer would tell them."""
    found = []
    for name in names:
        path = faulty.backing / name
        write_tiff(path, np.ones((3, 32, 32), np.uint8))
        found.append(wire.FoundFile(name, path.stat().st_size, path.stat().st_mtime_ns))
    return found


@pytest.mark.parametrize(
    ("fault", "away"),
    [
        ("EIO", "Input/output error"),
        ("ESTALE", "Stale file handle"),
        ("ENOTCONN", "Transport endpoint is not connected"),
        ("ETIMEDOUT", "Connection timed out"),
    ],
)
def test_a_folder_with_errors_is_away_and_is_taken_up_again(faulty: FaultyFolder, fault: str, away: str) -> None:
    (found,) = put(faulty, "a.tif")
    known = [KnownFile(found.path, found.size, found.mtime_ns)]
    data, processing = DataFolder(faulty.path), ProcessingFolder(faulty.path)
    assert (data.look(known)[1], processing.look()[0].away) == ("a.tif", "")
    faulty.has(fault)
    assert (data.look(known)[0].away, processing.look()[0].away) == (away, away)
    faulty.is_well()
    assert (data.look(known)[0].away, processing.look()[0].away) == ("", "")


@pytest.mark.parametrize(
    ("fault", "why"),
    [("full", "No space left on device"), ("quota", "Disk quota exceeded"), ("inodes", "No space left on device")],
)
def test_a_folder_that_cannot_be_written_is_full_and_keeps_its_last_token(
    faulty: FaultyFolder, fault: str, why: str
) -> None:
    processing = ProcessingFolder(faulty.path)
    _, (token, following) = processing.look()
    faulty.has(fault)
    look, none = processing.look()
    assert (look.full, look.away, none) == (why, "", ())
    assert seeing.sees("w", wire.LookAtFolders(str(faulty.path), "")) == wire.WorkerSees("w", token)
    assert [path.name for path in (faulty.backing / ".warpcore").iterdir()] == ["token"], "no half file"
    faulty.is_well()
    assert processing.look()[1][0] == following
    assert ProcessingFolder(faulty.path).look()[1][0] == following, "the token of an earlier run counts too"


def test_a_scheduler_whose_data_directory_hangs_answers_holds_and_goes_on(
    site: Site, faulty: FaultyFolder, wait_until: WaitUntil
) -> None:
    worker = WorkerSide(site, "w")
    with site.running() as client:
        ask(client, wire.RegisterFiles(put(faulty, "a.tif")))
        worker.register()
        worker.dealer.send(wire.PullTasks("w", 2))
        wait_until(lambda: worker.got(wire.AssignTask), 30, what="the first task")
        faulty.has("hang")
        wait_until(lambda: status(client).holds, 30, what="hold")
        assert "is away: no answer for" in status(client).holds[0]
        assert status(client).summary.startswith("trouble")
        begun = time.monotonic()
        for _ in range(20):
            ask(client, wire.GetSummary())
        assert time.monotonic() - begun < 10 * crowd(), "nobody waits for the storage"
        faulty.is_well()
        ask(client, wire.RegisterFiles(put(faulty, "b.tif")))
        wait_until(lambda: len(worker.got(wire.AssignTask)) == 2, 30, what="the second task")
        wait_until(lambda: not status(client).holds, what="the end of the hold, and of a slow look of a busy machine")
    worker.dealer.close()


def test_a_settings_request_about_files_that_hang_is_answered_and_holds_up_no_other(
    site: Site, faulty: FaultyFolder
) -> None:
    gain = faulty.path / "gain.mrc"
    with site.running() as client:
        before = ask(client, wire.GetSettings()).revision
        faulty.has("hang")
        refused: list[str] = []

        def ask_for_gain() -> None:
            with RequestClient(site.endpoints.control, "other", timeout_s=60) as other:
                try:
                    other.request(wire.PatchSettings({"import": {"gain_path": str(gain)}}))
                except RefusedError as error:
                    refused.append(str(error))

        asking = threading.Thread(target=ask_for_gain)
        asking.start()
        while asking.is_alive():
            begun = time.monotonic()
            assert ask(client, wire.GetSettings()).revision == before
            assert time.monotonic() - begun < SILENT_S + 5 * crowd()
            asking.join(0.1)
        assert "the files that settings name give no answer" in refused[0]
        answer = ask(client, wire.PatchSettings({"filter": {"resolution_max": 4.0}}))
        assert answer.revision == before + 1


def test_a_discoverer_whose_data_directory_hangs_beats_tells_and_takes_no_file_for_gone(
    site: Site, faulty: FaultyFolder, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warpcore.services.discoverer.finding.SILENT_S", SILENT_S)
    put(faulty, "a.tif")
    stop = threading.Event()

    def discover() -> None:
        run_discoverer(site.endpoints, faulty.path, incubation_s=0.1, scan_interval_s=0.2, stop=stop)

    def told() -> bool:
        return "it does not answer" in " ".join(status(client).warnings)

    discoverer = threading.Thread(target=discover)
    with site.running() as client:
        discoverer.start()
        wait_until(lambda: status(client).total == 1, 30, what="the movie")
        faulty.has("hang")
        wait_until(told, 30, what="warning")
        faulty.is_well()
        put(faulty, "b.tif")
        wait_until(lambda: status(client).total == 2, 30, what="the next movie")
        wait_until(lambda: not told(), 30, what="the end of the warning")
        stop.set()
        wait_for_end(discoverer)


def test_a_tracker_whose_processing_directory_hangs_beats_and_writes_later(
    site: Site, faulty: FaultyFolder, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "BEAT_S", 0.2)
    stop = threading.Event()
    tracker = threading.Thread(target=tracking.run_tracker, args=(site.endpoints, faulty.path), kwargs={"stop": stop})
    beats = 0

    def beaten(times: int) -> bool:
        nonlocal beats
        beats += sum(ServiceEvent.from_body(one.body).service == "tracker" for one in events.drain())
        return beats >= times

    with site.running() as client, Subscriber(site.endpoints.events_out, ["service.heartbeat"]) as events:
        tracker.start()
        wait_until(lambda: (faulty.backing / "processed_items.json").exists(), 30, what="the first list")
        faulty.has("hang")
        ask(client, wire.RegisterFiles([wire.FoundFile("a.tif", 1, 1)]))
        list(events.drain())
        wait_until(lambda: beaten(10), 30, what="beats, also once it is time to write")
        assert "a.tif" not in (faulty.backing / "processed_items.json").read_text()
        faulty.is_well()
        wait_until(lambda: "a.tif" in (faulty.backing / "processed_items.json").read_text(), 30, what="the next list")
        stop.set()
        wait_for_end(tracker)


def test_an_alarm_is_sent_while_the_processing_directory_hangs(
    site: Site, tmp_path: Path, faulty: FaultyFolder, wait_until: WaitUntil
) -> None:
    """The database lies elsewhere, as is advised where results lie on a network mount."""
    stop = threading.Event()
    file = tmp_path / "notify.toml"
    pace = Pace(ask_s=0.3, silent_s=60.0, gather_s=0.1, first_pause_s=0.2)
    site.data, site.processing = tmp_path, faulty.path
    with Hook().running() as hook:
        file.write_text(f'[webhook]\nurl = "{hook.url}"\n')
        file.chmod(0o600)
        notifier = threading.Thread(
            target=run_notifier, args=(site.endpoints, faulty.path, file), kwargs={"pace": pace, "stop": stop}
        )
        with site.running(state_path=tmp_path / "state.db") as client:
            notifier.start()
            wait_until(lambda: status(client).seq >= 0, 30, what="an answer")
            faulty.has("hang")
            wait_until(lambda: ("raised", "storage:processing") in hook.told, 30, what="the alarm out")
            assert "processing directory" in " ".join(status(client).holds)
            faulty.is_well()
            wait_until(lambda: ("ended", "storage:processing") in hook.told, 30, what="its end out")
            stop.set()
            wait_for_end(notifier, 20)


def test_a_worker_whose_storage_hangs_says_so_and_is_given_nothing(
    tmp_path: Path, faulty: FaultyFolder, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seeing, "SILENT_S", SILENT_S)
    faulty.has("hang")
    look = seeing.FolderLook("w")
    look.ask(wire.LookAtFolders(str(faulty.path), str(tmp_path)))
    answers: list[wire.WorkerSees] = []

    def answered() -> bool:
        answer = look.answer(time.monotonic())
        answers.extend([answer] if answer is not None else [])
        return bool(answers)

    wait_until(answered, 30, what="answer")
    assert answers[0].problem.startswith(f"{faulty.path} or {tmp_path} gives no answer for")
