"""The pool beside a real scheduler; the batch system is a folder with shell scripts, whose jobs do nothing."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.services.scheduler_site import Site, ask, files
from tests.waiting import wait_for_end
from warpcore.bus import messages as wire
from warpcore.bus.client import RequestClient
from warpcore.bus.keys import Holder
from warpcore.bus.vocabulary import Role, ServiceName
from warpcore.services.access import keys
from warpcore.services.access.places import Access
from warpcore.services.pool import shell
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
            (folder / name).write_text(f"#!/bin/sh\ncd {folder}\n{text}\n")
            (folder / name).chmod(0o755)

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
    def pool(self, **options: Any) -> Iterator[None]:
        """The pool runs; what ends it is raised here."""
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
            yield
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
        assert found.submitted_last_hour == 3


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


def test_the_key_of_a_job_is_revoked_when_it_ends(
    tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: WaitUntil
) -> None:
    access = Access(tmp_path / "access")
    keys.init(access)
    person = keys.read_key(keys.add(access, Holder("me", Role.OPERATOR)))
    finder = keys.read_key(keys.add(access, Holder("discoverer", Role.SERVICE, ServiceName.DISCOVERER)))
    own = keys.read_key(keys.add(access, Holder("pool", Role.SERVICE, ServiceName.POOL)))
    site, queue = Site(tmp_path, free_ports(4)), FolderQueue(tmp_path / "batch")
    queue.configure(maximum=1)

    def of_jobs() -> list[str]:
        return [key.name for key in keys.known_keys(access) if key.role is Role.WORKER]

    with site.running(key=person, access=access.folder) as client:
        with RequestClient(site.endpoints.control, "test", timeout_s=3.0, key=finder) as discoverer:
            ask(discoverer, files("a.tif", "b.tif"))
        world = World(site, client, queue)
        with world.pool(access=access, key=own):
            wait_until(lambda: queue.lines("queue") and len(of_jobs()) == 1, what="a job with a key")
            [first] = of_jobs()
            assert first.startswith("gpu-")
            assert (access.keys / f"{first}.toml").exists()
            queue.queue.write_text("1 FAIL\n")
            wait_until(lambda: of_jobs() and first not in of_jobs(), what="a job with another key")
            wait_until(lambda: not (access.keys / f"{first}.toml").exists(), what="an end of its file")
            wait_until(lambda: len(queue.lines("queue")) == 2 and world.running == 1, what="another job that runs")
        with world.pool(access=access, key=own, end_jobs=True):
            wait_until(lambda: of_jobs(), what="the same job, or another one")
        assert of_jobs() == []
