"""The pool beside a real scheduler; the batch system is a folder with shell scripts, whose jobs do nothing."""

from __future__ import annotations

import logging
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.services.scheduler_site import Site, ask, files
from tests.waiting import wait_for_end
from warpcore.bus import messages as wire
from warpcore.bus.client import RequestClient
from warpcore.bus.keys import ClientKey, Holder
from warpcore.bus.vocabulary import Role, ServiceName
from warpcore.services.access import keys
from warpcore.services.access.places import Access
from warpcore.services.pool import ending, shell, telling
from warpcore.services.pool.configuration import ConfigurationError
from warpcore.services.pool.jobs import USUAL
from warpcore.services.pool.service import POOLS, PoolPlace, run_pool

WaitUntil = Callable[..., None]
SUBMIT = """
while [ -e submit_hangs ]; do sleep 0.05; done
cp ../processing/.warpcore/pool/gpu/pool.db at_submission.db
echo "$1" >> asked
[ "$(wc -l < queue)" -lt "$(cat limit)" ] || { echo "the limit of your account" >&2; exit 1; }
id=$(wc -l < asked); echo "$id RUN" >> queue; echo $id
"""
STATUS = "while [ -e status_hangs ]; do sleep 0.05; done; cat queue; [ ! -e broken ]"
CANCEL = 'echo "$1" >> cancelled; [ ! -s deaf ] || { sed -i 1d deaf; exit 1; }; sed -i "/^$1 /d" queue'


class FolderQueue:
    """A batch system of one folder. Files `status_hangs`, `submit_hangs` and `broken` say what it does not do.

    `deaf` has a line for each cancel that is to fail.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.queue, self.file = folder / "queue", folder / "gpu.toml"
        self.queue.touch()
        self.limit(100)
        for name, text in (("submit", SUBMIT), ("status", STATUS), ("cancel", CANCEL)):
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Make a command of this shell script."""
        (self.folder / name).write_text(f"#!/bin/sh\ncd {self.folder}\n{text}\n")
        (self.folder / name).chmod(0o755)

    def configure(self, maximum: int, command_s: float = 60.0) -> None:
        words = {"submit": "{script}", "status": "all", "cancel": "{id}"}
        lines = [f'{name} = ["{self.folder / name}", "{word}"]' for name, word in words.items()]
        states = 'states = {RUN = "running", FAIL = "failed"}'
        head = f'executor = "commands"\nmaximum = {maximum}\nlook_s = 0.2\nscheduler = "127.0.0.1"\n'
        head += f"command_s = {command_s}\n[commands]\n"
        self.file.write_text("\n".join([head, *lines, states]))

    def limit(self, count: int) -> None:
        (self.folder / "limit").write_text(f"{count}")

    def lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


class World:
    """A session, a queue, and pools that run in threads."""

    def __init__(self, site: Site, client: RequestClient, queue: FolderQueue) -> None:
        self.site, self.client, self.queue = site, client, queue

    @contextmanager
    def pool(self, **options: Any) -> Iterator[threading.Event]:
        """The pool runs until the block ends, or the event is set; what ends it is raised here."""
        stop, ended = threading.Event(), []
        place = PoolPlace("gpu", self.queue.file, self.site.processing, options.pop("access", None))

        def run() -> None:
            try:
                run_pool(self.site.endpoints, place, stop=stop, **options)
            except BaseException as error:  # noqa: BLE001 - raised again below
                ended.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield stop
        finally:
            stop.set()
            wait_for_end(thread, 20)
        if ended:
            raise ended[0]

    @property
    def report(self) -> wire.Pool | None:
        pools = ask(self.client, wire.GetPools()).pools
        return pools[0] if pools else None

    @property
    def running(self) -> int:
        """How many jobs the pool has seen running: it knows their ids, and has stored them."""
        found = self.report
        return found.running if found is not None else 0

    @property
    def problems(self) -> str:
        found = self.report
        return "; ".join(found.problems) if found is not None else ""


@pytest.fixture
def wait_until(wait_until: WaitUntil) -> WaitUntil:
    """With more patience: each look starts several shell commands."""
    return partial(wait_until, seconds=60.0)


@pytest.fixture
def world(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Iterator[World]:
    site, queue = Site(tmp_path, free_ports(4)), FolderQueue(tmp_path / "batch")
    with site.running() as client:
        yield World(site, client, queue)


def movies(world: World, count: int) -> None:
    ask(world.client, files(*(f"m{number}.tif" for number in range(count))))


def test_what_is_decided_is_stored_before_it_is_done(world: World, wait_until: WaitUntil) -> None:
    world.queue.configure(maximum=1)
    movies(world, 3)
    with world.pool():
        wait_until(lambda: world.queue.lines("queue") == ["1 RUN"], what="a job")
        wait_until(lambda: world.running == 1, what="a report of it")
    with sqlite3.connect(world.queue.folder / "at_submission.db") as database:
        assert database.execute("SELECT native_id FROM jobs").fetchall() == [(None,)]
    database.close()
    wait_until(lambda: world.report is None, what="that it has said that it ends")


def test_after_a_refusal_the_others_of_this_look_are_not_tried(world: World, wait_until: WaitUntil) -> None:
    world.queue.configure(maximum=8)
    world.queue.limit(2)
    movies(world, 20)
    with world.pool():
        wait_until(lambda: "the batch system refuses jobs: the limit of your account" in world.problems, what="a word")
        assert len(world.queue.lines("asked")) == 3
        assert (found := world.report) is not None
        assert found.submitted_last_hour == 2, "what was refused never was a job"


@pytest.mark.parametrize("what", ["status_hangs", "submit_hangs"])
def test_a_call_that_hangs_freezes_the_pool_and_nothing_else(
    world: World, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(shell, "HANGS_S", 0.3)
    world.queue.configure(maximum=2)
    (world.queue.folder / what).touch()
    movies(world, 5)
    with world.pool():
        wait_until(lambda: "frozen" in world.problems and "has not returned for" in world.problems, what="a word")
        assert world.queue.lines("asked") == []
        ask(world.client, wire.SetPool(maximum=1))
        wait_until(lambda: (found := world.report) is not None and found.taken_over, what="other limits")
        (world.queue.folder / what).unlink()
        wait_until(lambda: world.queue.lines("queue") and world.problems == "", what="a job")


def test_a_status_command_that_fails_freezes_the_pool(world: World, wait_until: WaitUntil) -> None:
    world.queue.configure(maximum=2)
    (world.queue.folder / "broken").touch()
    movies(world, 5)
    with world.pool():
        wait_until(lambda: "frozen, no job is submitted: commands.status ended with exit code 1" in world.problems)
        assert world.queue.lines("asked") == []


def test_jobs_end_with_the_session_where_that_is_asked(world: World, wait_until: WaitUntil) -> None:
    world.queue.configure(maximum=2)
    movies(world, 5)
    with world.pool():
        wait_until(lambda: world.running == 2, what="two jobs")
    assert world.queue.lines("cancelled") == []
    with world.pool(end_jobs=True):
        wait_until(lambda: world.running == 2, what="the same jobs")
    assert sorted(world.queue.lines("cancelled")) == ["1", "2"]
    assert len(world.queue.lines("asked")) == 2


def test_at_the_end_cancels_are_repeated_until_the_jobs_are_seen_to_have_ended(
    world: World, wait_until: WaitUntil
) -> None:
    world.queue.configure(maximum=2)
    movies(world, 5)
    with world.pool(end_jobs=True, guards=USUAL.scaled(0.01)):
        wait_until(lambda: world.running == 2, what="two jobs")
        (world.queue.folder / "deaf").write_text("no\n" * 3)
    assert world.queue.lines("queue") == []
    assert len(world.queue.lines("cancelled")) >= 5


def test_jobs_that_do_not_end_in_time_are_named(
    world: World, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    world.queue.configure(maximum=2)
    movies(world, 5)
    with world.pool():
        wait_until(lambda: world.running == 2, what="two jobs")
    (world.queue.folder / "deaf").write_text("no\n" * 1000)
    world.queue.configure(maximum=2, command_s=1.0)
    with world.pool(end_jobs=True):
        pass
    assert "these jobs were not seen to end within 1 s; cancel them by the batch system's own command: 1, 2" in (
        caplog.text
    )


def test_one_call_that_hangs_at_the_end_does_not_take_all_the_time(
    world: World, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    """As a qstat does that meets a server of PBS that starts: it hangs, and later ones are answered."""
    world.queue.configure(maximum=2, command_s=8.0)
    world.queue.write("status", "[ ! -e hangs_once ] || { rm hangs_once; exec sleep 60; }; cat queue")
    movies(world, 5)
    with world.pool(end_jobs=True):
        wait_until(lambda: (found := world.report) is not None and found.running == 2, what="two jobs")
        (world.queue.folder / "hangs_once").touch()
    assert "the status command has not returned, and is not waited for" in caplog.text
    assert world.queue.lines("queue") == []
    assert sorted(world.queue.lines("cancelled")) == ["1", "2"]


def test_a_pool_that_takes_long_to_end_is_heard_all_the_time(
    world: World, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "TELL_S", 0.2)
    world.queue.configure(maximum=1, command_s=4.0)
    (world.queue.folder / "deaf").write_text("no\n" * 1000)
    movies(world, 5)
    silences = []

    def has_ended() -> bool:
        found = world.report
        silences.append(0.0 if found is None else found.silent_s)
        return found is None

    with world.pool(end_jobs=True) as stop:
        wait_until(lambda: (found := world.report) is not None and found.running == 1, what="a job")
        stop.set()
        (world.queue.folder / "status_hangs").touch()
        wait_until(has_ended, what="an end")
    assert max(silences) < 3.0
    assert len(world.queue.lines("queue")) == 1


def test_a_pool_counts_what_it_has_asked_for_and_says_that_it_is_frozen(world: World, wait_until: WaitUntil) -> None:
    world.queue.configure(maximum=2)
    movies(world, 5)
    with world.pool():
        wait_until(lambda: world.running == 2, what="two jobs")
        ask(world.client, wire.SetPool(maximum=0))
        wait_until(lambda: (found := world.report) is not None and found.taken_over, what="other limits")
        (world.queue.folder / "broken").touch()
        wait_until(lambda: (found := world.report) is not None and found.frozen, what="a frozen pool")
        assert (found := world.report) is not None
        assert (found.submissions, found.stopped) == (2, False)
    wait_until(lambda: ask(world.client, wire.GetMetrics()).pools == [], what="that it has said that it ends")


def test_what_cannot_be_stored_is_not_submitted(world: World, wait_until: WaitUntil) -> None:
    world.queue.configure(maximum=2)
    with world.pool():
        wait_until(lambda: world.report is not None, what="a report")
        with closing(sqlite3.connect(world.site.processing / POOLS / "gpu" / "pool.db", timeout=30)) as database:
            full = "BEFORE INSERT ON jobs BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            database.execute(f"CREATE TRIGGER full {full}")
            movies(world, 5)
            wait_until(lambda: "no job is submitted:" in world.problems, what="a word")
            assert "database or disk is full" in world.problems
            assert world.queue.lines("asked") == []
            database.execute("DROP TRIGGER full")
        wait_until(lambda: len(world.queue.lines("queue")) == 2 and world.problems == "", what="two jobs")


def test_two_processes_of_one_pool_are_refused(world: World, wait_until: WaitUntil) -> None:
    world.queue.configure(maximum=1)
    with world.pool():
        wait_until(lambda: world.report is not None, what="a report")
        with pytest.raises(ConfigurationError, match="is in use by another process of this pool"), world.pool():
            pass
    folder = world.site.processing / POOLS / "gpu"
    assert (folder / "pool.db").exists()
    assert not (folder / "lock").stat().st_mode & stat.S_IROTH, "who may read a lock file may hold it"


# --- keys ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Keyed:
    """A world in which who connects needs a key."""

    world: World
    access: Access
    own: ClientKey

    @contextmanager
    def pool(self, **options: Any) -> Iterator[threading.Event]:
        """The pool runs under its key."""
        with self.world.pool(access=self.access, key=self.own, **options) as stop:
            yield stop

    @property
    def of_jobs(self) -> list[str]:
        return [key.name for key in keys.known_keys(self.access) if key.role is Role.WORKER]


@pytest.fixture
def keyed(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Iterator[Keyed]:
    access = Access(tmp_path / "access")
    keys.init(access)
    person = keys.read_key(keys.add(access, Holder("me", Role.OPERATOR)))
    finder = keys.read_key(keys.add(access, Holder("discoverer", Role.SERVICE, ServiceName.DISCOVERER)))
    own = keys.read_key(keys.add(access, Holder("pool", Role.SERVICE, ServiceName.POOL)))
    site, queue = Site(tmp_path, free_ports(4)), FolderQueue(tmp_path / "batch")
    with site.running(key=person, access=access.folder) as client:
        with RequestClient(site.endpoints.control, "test", timeout_s=3.0, key=finder) as discoverer:
            ask(discoverer, files("a.tif", "b.tif"))
        yield Keyed(World(site, client, queue), access, own)


def test_the_key_of_a_job_is_revoked_when_it_ends(keyed: Keyed, wait_until: WaitUntil) -> None:
    queue = keyed.world.queue
    queue.configure(maximum=1)
    with keyed.pool():
        wait_until(lambda: queue.lines("queue") and len(keyed.of_jobs) == 1, what="a job with a key")
        [first] = keyed.of_jobs
        assert first.startswith("gpu-")
        file = keyed.access.keys / f"{first}.toml"
        assert file.exists()
        queue.queue.write_text("1 FAIL\n")
        wait_until(lambda: keyed.of_jobs and first not in keyed.of_jobs, what="a job with another key")
        wait_until(lambda: not file.exists(), what="an end of its file")
        wait_until(lambda: len(queue.lines("queue")) == 2 and keyed.world.running == 1, what="another job that runs")
    with keyed.pool(end_jobs=True):
        wait_until(lambda: keyed.of_jobs, what="the same job, or another one")
    assert keyed.of_jobs == []


def test_keys_of_jobs_that_have_ended_are_revoked_also_where_the_batch_system_hangs_at_the_end(
    keyed: Keyed, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    queue = keyed.world.queue
    queue.configure(maximum=2, command_s=4.0)
    queue.write("cancel", f'[ "$1" = 2 ] || {{ {CANCEL}; }}')
    with keyed.pool(end_jobs=True) as stop:
        wait_until(lambda: (found := keyed.world.report) is not None and found.running == 2, what="two jobs")
        second = keyed.of_jobs[1]
        stop.set()
        wait_until(lambda: "has ended" in caplog.text, what="an end of one job")
        (queue.folder / "status_hangs").touch()
    assert keyed.of_jobs == [second], "its job was not seen to end"
    assert "the status command has not returned, and is not waited for" in caplog.text
    assert "these jobs were not seen to end within 4 s; cancel them by the batch system's own command: 2" in caplog.text


def test_keys_that_are_not_revoked_at_the_end_are_told(
    keyed: Keyed, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "REVOKING_S", 0.0)
    keyed.world.queue.configure(maximum=1)
    with keyed.pool(end_jobs=True):
        wait_until(lambda: (found := keyed.world.report) is not None and found.running == 1, what="a job")
    assert "the keys of jobs that have ended are not revoked after 0 s; `warpcore keys list` shows them" in caplog.text
