"""A step that learns, in the worker: the choice that it is given, and the evidence that it tells without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.services.scheduler_learner import PICKS, learners
from warpcore.bus.messages import AssignTask
from warpcore.services.session.learning import choice_id
from warpcore.services.steps import Result, result
from warpcore.services.worker.steps.work import Work

CHOICE = {"shape": "ring"}
TOLD: dict[str, Any] = {"ring": 0.9}


@result
class Told(Result):
    evidence: dict[str, Any] | None = None


@pytest.fixture(autouse=True)
def learning() -> Iterator[None]:
    with learners():
        yield


def work(*cheap: str, choices: dict[str, Any] | None = None, before: Any = None) -> Work:
    task = AssignTask(
        lease=1,
        purpose="process",
        name="a",
        path="a.tif",
        size=1,
        mtime_ns=1,
        run=["picking"],
        wanted={},
        settings=PICKS.to_dict(),
        results={"picking": {"evidence": before}},
        data_directory="/d",
        processing_directory="/p",
        choices=choices or {},
    )
    return Work(AssignTask.from_body(task.to_body()), PICKS, ["picking"], {}, cheap=set(cheap))


def told(work: Work, evidence: dict[str, Any] | None) -> tuple[Any, Any]:
    work.tell("picking", Told(evidence))
    return work.results["picking"]["evidence"], work.results["picking"]["choice"]


def test_without_a_choice_a_step_goes_by_its_movie_and_tells_its_evidence() -> None:
    assert work().choice("picking") is None
    assert told(work(), TOLD) == (TOLD, None)


def test_with_a_choice_the_result_names_it_and_has_no_evidence() -> None:
    given = work(choices={"picking": CHOICE})
    assert given.choice("picking") == CHOICE
    assert told(given, TOLD) == (None, choice_id(CHOICE))


def test_evidence_is_that_of_the_costly_half_where_the_cheap_one_alone_runs() -> None:
    assert told(work("picking", before=TOLD), None) == (TOLD, None)
    assert told(work("picking", choices={"picking": CHOICE}, before=None), None) == (None, choice_id(CHOICE))


def test_a_step_that_learns_nothing_has_neither() -> None:
    with learners(picking=None):
        one = work(choices={})
        one.tell("picking", Told(TOLD))
        assert "choice" not in one.results["picking"]
