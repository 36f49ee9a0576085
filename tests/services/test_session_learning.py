"""Choices by key: which settings ask for another one, and what a choice outdates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.services.scheduler_learner import LEARNING, learners
from warpcore.services.session.fingerprints import same_costly_half, steps_to_run
from warpcore.services.session.fingerprints_v1 import FormerPlan
from warpcore.services.session.learning import SessionPlan, choice_id
from warpcore.services.session.settings import parse_settings

PICKS: dict[str, Any] = {"picking": {"diameter": 130.0}, "export": {"particles": True}}
CHOICE = {"values": [1.0, 2.5], "movies": ["a"]}


@pytest.fixture(autouse=True)
def learning() -> Iterator[None]:
    with learners():
        yield


def plan(raw: dict[str, Any], references: str = "", known: dict[str, Any] | None = None) -> SessionPlan:
    return SessionPlan(parse_settings(raw), references, known or {})


def key(raw: dict[str, Any], references: str = "") -> str:
    return plan(raw, references).keys["picking"]


@pytest.mark.parametrize(
    ("change", "other"),
    [
        ({}, False),
        ({"picking": {"diameter": 130.0, "threshold": 0.3}}, False),
        ({"export": {"halves": True}}, False),
        ({"filter": {"junk_max": 1.0}}, False),
        ({"picking": {"diameter": 140.0}}, True),
        ({"ctf": {"range_max": 5.0}}, True),
        ({"motion": {"range_max": 8.0}}, True),
        ({"import": {"dose_per_frame": 1.5}}, True),
    ],
)
def test_what_the_evidence_depends_on_and_nothing_else_asks_for_another_choice(
    change: dict[str, Any], other: bool
) -> None:
    assert (key({**PICKS, **change}) != key(PICKS)) is other


def test_a_file_that_a_setting_names_and_the_number_of_movies_ask_for_another_choice() -> None:
    assert key(PICKS, "picking.templates_path:ab") != key(PICKS)
    first = key(PICKS)
    with learners(LEARNING.__class__(lambda section: 5, LEARNING.pool, LEARNING.describe)):
        assert key(PICKS) != first


def test_steps_that_are_off_or_learn_nothing_have_no_key() -> None:
    assert plan({}).keys == {}
    assert plan({"picking": {"diameter": 130.0, "contrast": "bright"}}).keys == {}


def test_a_choice_outdates_its_step_and_those_that_build_on_it() -> None:
    unlearnt = plan(PICKS)
    assert (unlearnt.undecided, unlearnt.ready, unlearnt.plan) == (("picking",), ["picking"], unlearnt.unlearnt)
    learnt = plan(PICKS, known={key(PICKS): CHOICE})
    assert (learnt.undecided, learnt.choices) == ((), {"picking": CHOICE})
    before, after = unlearnt.plan.wanted(10, 20), learnt.plan.wanted(10, 20)
    assert steps_to_run(after, before) == ["picking", "export"]
    assert not same_costly_half("picking", after, before)
    assert same_costly_half("export", after, before), "only the boxes of particles are cut out again"
    assert learnt.unlearnt == unlearnt.plan


def test_equal_choices_are_equal_whatever_their_order_and_others_are_not() -> None:
    assert choice_id({"movies": ["a"], "values": [1.0, 2.5]}) == choice_id(CHOICE)
    assert choice_id({"movies": ["a"], "values": [1.0, 2.25]}) != choice_id(CHOICE)


def test_a_choice_that_could_not_be_made_is_decided_and_changes_no_fingerprint() -> None:
    failed = plan(PICKS, known={key(PICKS): None})
    assert (failed.undecided, failed.choices) == ((), {})
    assert failed.plan == plan(PICKS).plan


def test_results_of_the_first_form_were_made_without_any_choice() -> None:
    """These are what warpcore 0.1 stored for a file of 10 bytes and mtime 20."""
    raw = {"picking": {"diameter": 130.0, "threshold": 0.3}, "export": {"particles": True, "float16": True}}
    stored = {
        "motion": "dc7f99ec554c187e8cd13fe6",
        "ctf": "3e2aac4a25c358de3486f11c",
        "picking": "5d9ffbb806a824cb59066ab5.69b90893",
        "export": "247cf573d781057a68ef15f2.b4a429bc",
    }
    with learners(ctf=LEARNING):  # picking's version has grown since, so its results of that form fit nothing any more
        unlearnt = plan(raw)
        learnt = plan(raw, known={unlearnt.keys["ctf"]: CHOICE})
        translated = FormerPlan(parse_settings(raw), "", learnt.unlearnt).translated(stored, 10, 20)
        assert steps_to_run(unlearnt.plan.wanted(10, 20), translated) == ["picking", "export"]
        assert steps_to_run(learnt.plan.wanted(10, 20), translated) == ["ctf", "picking", "export"]
