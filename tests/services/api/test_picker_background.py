"""A background job tells where it stands, to every process that looks, and holds only one command at a time."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from warpcore.services.api.picker.background import AlreadyRunningError, BackgroundJob, BackgroundState, JobStatus
from warpcore.services.api.picker.suggesting import Proposal, suggestion_of
from warpcore.services.api.picker.training import training_of, unavailable

ENDLESS = ["tap", "--events-out-port", "1"]
"""Waits for events that never come."""
LONGEST_S = 120
"""For a command to end, on a host that is busy with other tests."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "job"


def test_before_anything_was_asked_there_is_nothing(folder: Path) -> None:
    assert BackgroundJob(folder).status().state is BackgroundState.NONE


def test_what_a_command_prints_is_told_once_it_has_ended(folder: Path) -> None:
    child = BackgroundJob(folder).start({"movies": ["a"]}, ["--version"])
    assert child.wait(LONGEST_S) == 0
    status = BackgroundJob(folder).status()
    assert (status.state, status.asked, status.problem) == (BackgroundState.DONE, {"movies": ["a"]}, "")
    assert status.output.startswith("warpcore ")


def test_why_a_command_failed_is_told_in_its_own_words(folder: Path, tmp_path: Path) -> None:
    child = BackgroundJob(folder).start({}, ["settings", "explain", "ctf.volts"])
    assert child.wait(LONGEST_S) != 0
    status = BackgroundJob(folder).status()
    assert status.state is BackgroundState.FAILED
    assert "ctf.volts" in status.problem
    assert not status.problem.startswith("warpcore:")


def test_only_one_runs_at_a_time_and_it_can_be_cancelled(folder: Path) -> None:
    child = BackgroundJob(folder).start({}, ENDLESS)
    try:
        elsewhere = BackgroundJob(folder)
        assert elsewhere.status().state is BackgroundState.RUNNING
        assert not (folder / "lock").stat().st_mode & stat.S_IROTH, "who may read a lock file may hold it"
        with pytest.raises(AlreadyRunningError):
            elsewhere.start({}, ["--version"])
        elsewhere.cancel()
        child.wait(LONGEST_S)
    finally:
        child.kill()
        child.wait()
    assert BackgroundJob(folder).status().state is BackgroundState.CANCELLED
    assert BackgroundJob(folder).start({}, ["--version"]).wait(LONGEST_S) == 0
    assert BackgroundJob(folder).status().state is BackgroundState.DONE


def test_one_that_was_killed_has_failed(folder: Path) -> None:
    child = BackgroundJob(folder).start({}, ENDLESS)
    child.kill()
    child.wait()
    status = BackgroundJob(folder).status()
    assert status.state is BackgroundState.FAILED
    assert status.problem


def test_proposals_are_what_the_command_has_printed() -> None:
    printed = '[{"diameter_angstrom": 130.0, "shape": "ring 1", "evidence": 250.5, "particles": 15.0}]'
    asked = {"movies": ["a"]}
    done = suggestion_of(JobStatus(BackgroundState.DONE, asked, printed))
    assert done.proposals == [Proposal(diameter_angstrom=130.0, shape="ring 1", evidence=250.5, particles=15.0)]
    assert suggestion_of(JobStatus(BackgroundState.RUNNING, asked, printed[:10])).proposals == []


def test_where_training_cannot_run_the_reason_is_told_before_anyone_asks_for_it() -> None:
    reason = unavailable(["json", "no_such_package"])
    assert reason is not None
    assert "needs no_such_package, which is not installed" in reason
    assert "pip install 'warpcore[train]'" in reason
    assert training_of(JobStatus(), [], reason).unavailable == reason
    asked = {"movies": ["a"], "weights": "w.npz", "steps": 7, "diameter": 130.0}
    assert training_of(JobStatus(BackgroundState.FAILED, asked), [], reason).unavailable == reason
