"""A pool that is started again knows its jobs, how often it has submitted, and why it had stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from warpcore.services.pool.core import TIMES_AN_HOUR, decide, problems, refused, resume, submitted
from warpcore.services.pool.jobs import Limits, Look, Pool, QueueState, Submit, WorkerSeen
from warpcore.services.pool.store import PoolStore, StoreError

LIMITS = Limits(1, 3)


def test_what_was_stored_is_taken_up(tmp_path: Path) -> None:
    pool = Pool(LIMITS, 60.0)
    for action in decide(pool, Look(5, 0, {}, {}), 100.0):
        assert isinstance(action, Submit)
        submitted(pool, action.job, f"n{action.job}", 100.0)
    decide(pool, Look(5, 0, {"1": WorkerSeen()}, {"n1": QueueState.RUNNING, "n2": QueueState.QUEUED}), 110.0)
    pool.jobs["2"].drained = True
    pool.stopped, pool.deaths, pool.died, pool.prefix = "3 jobs died", 3, "2", "3fa2-"
    store = PoolStore(tmp_path / "pool.db")
    store.save(pool, 120.0, 1_000_120.0)
    store.close()

    found = PoolStore(tmp_path / "pool.db").load(LIMITS, 60.0, now=7.0, wall=1_000_130.0)
    assert (found.next_number, found.deaths, found.stopped, found.died) == (4, 3, "3 jobs died", "2")
    assert (found.prefix, found.limits, found.revision) == ("3fa2-", LIMITS, 0)
    assert found.submissions == pytest.approx([-23.0] * 3)  # 30 s before
    first, second, third = found.jobs.values()
    assert (first.native_id, first.registered, first.kept, first.running_at) == ("n1", True, True, pytest.approx(-13.0))
    assert (second.native_id, second.running_at, second.drained) == ("n2", None, True)
    assert [job.seen_at for job in (first, second, third)] == [7.0, 7.0, 7.0]
    assert not any(isinstance(one, Submit) for one in decide(found, Look(5, 0, {}, {}), 100.0))


def test_a_job_that_was_refused_before_a_restart_counts_in_the_hour_where_it_is_there_all_the_same(
    tmp_path: Path,
) -> None:
    pool = Pool(Limits(0, 2), 60.0)
    decide(pool, Look(2, 0, {}, {}), 100.0)
    for job in ("1", "2"):
        refused(pool, job, "no", 100.0)
    store = PoolStore(tmp_path / "pool.db")
    store.save(pool, 100.0, 1_000_100.0)
    found = store.load(LIMITS, 60.0, now=100.0, wall=1_000_100.0)
    assert found.submissions == []
    decide(found, Look(0, 0, {"2": WorkerSeen()}, {}), 110.0)
    assert found.submissions == pytest.approx([100.0])


def test_a_pool_that_a_person_let_go_on_does_so_after_a_restart(tmp_path: Path) -> None:
    pool = Pool(Limits(0, 1), 60.0, submissions=[100.0] * TIMES_AN_HOUR)
    resume(pool, 110.0)
    store = PoolStore(tmp_path / "pool.db")
    store.save(pool, 120.0, 1_000_120.0)
    found = store.load(Limits(0, 1), 60.0, now=7.0, wall=1_000_130.0)
    assert found.resumed_at == pytest.approx(-13.0)
    assert problems(found) == []
    assert [action for action in decide(found, Look(1, 0, {}, {}), 8.0) if isinstance(action, Submit)]


def test_limits_that_a_person_has_set_outlast_a_restart_those_of_the_file_do_not(tmp_path: Path) -> None:
    store = PoolStore(tmp_path / "pool.db")
    for revision, expected in ((0, Limits(2, 9)), (5, Limits(0, 7))):
        store.save(Pool(Limits(0, 7), 60.0, revision=revision), 0.0, 0.0)
        found = store.load(Limits(2, 9), 60.0, 0.0, 0.0)
        assert (found.limits, found.revision) == (expected, revision)


def test_ids_of_a_pool_whose_record_was_lost_are_none_of_before(tmp_path: Path) -> None:
    prefixes = {PoolStore(tmp_path / f"{number}.db").load(LIMITS, 60.0, 0.0, 0.0).prefix for number in range(3)}
    assert len(prefixes) > 1


def test_a_clock_that_was_set_back_makes_no_job_of_the_future(tmp_path: Path) -> None:
    pool = Pool(LIMITS, 60.0)
    decide(pool, Look(5, 0, {}, {}), 100.0)
    store = PoolStore(tmp_path / "pool.db")
    store.save(pool, 100.0, 2_000_000.0)
    found = store.load(LIMITS, 60.0, now=50.0, wall=1_000_000.0)
    assert found.submissions == [50.0] * 3
    assert {job.submitted_at for job in found.jobs.values()} == {50.0}


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "pool.db").write_text("not a database at all, but long enough to look at" * 50)
    with pytest.raises(StoreError, match=r"pool\.db cannot be used: file is not a database"):
        PoolStore(tmp_path / "pool.db")
