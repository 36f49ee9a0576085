"""Fingerprints: what changes them, what does not, and those that earlier versions stored."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import pytest
from pydantic import create_model

from warpcore.services.session import fingerprints
from warpcore.services.session.fingerprints import OFF, FingerprintPlan, same_costly_half, steps_to_run
from warpcore.services.session.fingerprints_v1 import FormerPlan
from warpcore.services.session.settings import Settings, parse_settings
from warpcore.services.steps import Reach, setting
from warpcore.services.steps.chain import CHAIN, Chain
from warpcore.services.steps.fields import reach_of
from warpcore.services.steps.step import Step

FULL: dict[str, Any] = {"picking": {"diameter": 130.0}, "export": {"particles": True}}


def wanted(raw: dict[str, Any], references: str = "") -> dict[str, str]:
    return FingerprintPlan(parse_settings(raw), references).wanted(1000, 5)


@pytest.mark.parametrize(
    ("change", "runs"),
    [
        ({"import": {"dose_per_frame": 1.5}}, ["motion", "ctf", "picking", "export"]),
        ({"import": {"recursive": True, "patterns": ["*.eer"]}}, []),
        ({"motion": {"range_max": 8.0}}, ["motion", "ctf", "picking", "export"]),
        ({"ctf": {"range_max": 5.0}}, ["ctf", "picking", "export"]),
        ({"picking": {"diameter": 130.0, "contrast": "bright"}}, ["picking", "export"]),
        ({"picking": {"diameter": 130.0, "threshold": 0.3}}, ["picking", "export"]),
        ({"export": {"particles": True, "halves": True}}, ["export"]),
        ({"export": {"particles": True, "box_size": 64}}, ["export"]),
        ({"filter": {"junk_max": 1.0}}, []),
    ],
)
def test_a_setting_touches_its_step_and_those_that_build_on_it(change: dict[str, Any], runs: list[str]) -> None:
    assert steps_to_run(wanted({**FULL, **change}), wanted(FULL)) == runs


@pytest.mark.parametrize(("particles", "runs"), [(True, ["picking", "export"]), (False, ["picking"])])
def test_a_persons_edits_touch_the_cheap_halves_of_one_movie(particles: bool, runs: list[str]) -> None:
    plan = FingerprintPlan(parse_settings({**FULL, "export": {"particles": particles}}))
    before, after = plan.wanted(1000, 5), plan.wanted(1000, 5, {"picking": "edits"})
    assert steps_to_run(after, before) == runs
    assert all(same_costly_half(step, after, before) for step in runs)
    assert plan.wanted(1000, 5, {}) == before
    assert plan.wanted(1000, 5, {"picking": "others"}) != after


@pytest.mark.parametrize(
    ("change", "step", "cheap"),
    [
        ({"picking": {"diameter": 130.0, "threshold": 0.3}}, "picking", True),
        ({"picking": {"diameter": 130.0, "expected_false": 0.1}}, "picking", True),
        ({"picking": {"diameter": 130.0, "adapt": True}}, "picking", False),
        ({"picking": {"diameter": 130.0, "first_movies": 4}}, "picking", False),
        ({"picking": {"diameter": 140.0}}, "picking", False),
        ({"export": {"particles": True, "box_size": 64}}, "export", True),
        ({"export": {}}, "export", True),
        ({"export": {"particles": True, "float16": True}}, "export", False),
    ],
)
def test_the_cheap_half_alone_changes_where_the_setting_says_so(change: dict[str, Any], step: str, cheap: bool) -> None:
    assert same_costly_half(step, wanted({**FULL, **change}), wanted(FULL)) is cheap


def test_files_that_settings_name_touch_the_step_whose_setting_names_them() -> None:
    assert steps_to_run(wanted(FULL, "gain_path:1:2"), wanted(FULL)) == ["motion", "ctf", "picking", "export"]
    assert steps_to_run(wanted(FULL, "picking.templates_path:ab"), wanted(FULL)) == ["picking", "export"]


def test_picking_that_is_off_leaves_averages_alone() -> None:
    assert wanted({})["picking"] == OFF
    assert steps_to_run(wanted({"picking": {"diameter": 130.0}}), wanted({})) == ["picking"]


@pytest.mark.parametrize("name", ["import", *CHAIN.names])
def test_a_new_setting_with_a_default_leaves_every_fingerprint_equal(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a newer warpcore would have it: one more setting in one section. Set, it touches the section's steps."""
    before = FingerprintPlan(parse_settings(FULL)).wanted(1000, 5)
    old = parse_settings(FULL).section(name)
    grown = create_model(type(old).__name__, __base__=type(old), novelty=(int, setting(3, "new")))
    field = "import_" if name == "import" else name
    settings = parse_settings(FULL).model_copy(update={field: grown(**old.model_dump())})
    if name != "import":
        chain = Chain([dataclasses.replace(one, section=grown) if one.name == name else one for one in CHAIN])
        monkeypatch.setattr(fingerprints, "CHAIN", chain)
    assert FingerprintPlan(settings).wanted(1000, 5) == before
    changed = settings.model_copy(update={field: grown(**old.model_dump(), novelty=4)})
    assert steps_to_run(FingerprintPlan(changed).wanted(1000, 5), before)


def test_a_steps_version_outdates_its_results(monkeypatch: pytest.MonkeyPatch) -> None:
    before = wanted(FULL)
    newer = Chain([dataclasses.replace(one, version=one.version + (one.name == "ctf")) for one in CHAIN])
    monkeypatch.setattr(fingerprints, "CHAIN", newer)
    assert steps_to_run(wanted(FULL), before) == ["ctf", "picking", "export"]


def test_the_version_of_a_cheap_half_outdates_that_half_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before = wanted(FULL)

    def newer(step: Step) -> Step:
        assert step.cheap is not None
        return dataclasses.replace(step, cheap=dataclasses.replace(step.cheap, version=step.cheap.version + 1))

    chain = Chain([newer(one) if one.name == "export" else one for one in CHAIN])
    monkeypatch.setattr(fingerprints, "CHAIN", chain)
    assert steps_to_run(wanted(FULL), before) == ["export"]
    assert same_costly_half("export", wanted(FULL), before)
    off = {**FULL, "export": {**FULL["export"], "particles": False}}
    with_newer = wanted(off)
    monkeypatch.setattr(fingerprints, "CHAIN", CHAIN)
    assert with_newer == wanted(off), "where no particles are exported nothing runs"


def test_every_setting_says_what_it_touches() -> None:
    fields = {name: field for step in CHAIN for name, field in step.section.model_fields.items()}
    halves = {name for name, field in fields.items() if reach_of(field) in (Reach.CHEAP, Reach.BOTH)}
    boxes = {"particles", "box_size", "particle_pixel_size", "invert", "normalize", "float16"}
    assert halves == {"threshold", "expected_false", *boxes, "project_root", "mtf_path"}


FORMER: list[tuple[dict[str, Any], str, dict[str, str]]] = [
    # What warpcore 0.1 before the second form stored for a file of 10 bytes and mtime 20. Picking's version was 2.
    (
        {},
        "",
        {
            "motion": "dc7f99ec554c187e8cd13fe6",
            "ctf": "3e2aac4a25c358de3486f11c",
            "picking": "off",
            "export": "bcc367424108a0a1b5575bdf.off",
        },
    ),
    (
        {"ctf": {"range_max": 5.0}},
        "gain_path:1:2",
        {
            "motion": "bb43826fffc91e448b2703e8",
            "ctf": "c101a8369bdf3cb762e1ee56",
            "picking": "off",
            "export": "ec48c686e14b73cdde0770db.off",
        },
    ),
    (
        {"picking": {"diameter": 130.0, "threshold": 0.3}, "export": {"particles": True, "float16": True}},
        "",
        {
            "motion": "dc7f99ec554c187e8cd13fe6",
            "ctf": "3e2aac4a25c358de3486f11c",
            "picking": "5d9ffbb806a824cb59066ab5.69b90893",
            "export": "247cf573d781057a68ef15f2.b4a429bc",
        },
    ),
    (
        {"ctf": {"enabled": False}, "import": {"gain_path": "/g.mrc", "dose_per_frame": 1.5}},
        "gain_path:1:2",
        {
            "motion": "077b055c8df825b16dac6a19",
            "ctf": "off",
            "picking": "off",
            "export": "b1e63c515531108086b6640c.off",
        },
    ),
    (
        {"picking": {"method": "template", "templates_path": "/t.mrc"}},
        "gain_path:1:2 picking.templates_path:abc",
        {
            "motion": "bb43826fffc91e448b2703e8",
            "ctf": "80d19b0bcaf83c7d853a1241",
            "picking": "0016450af57c9c3d7c8152dd.1ca551d2",
            "export": "8136a192b0b74f8bce392ae5.off",
        },
    ),
    (
        {"ctf": {"grid": [4, 3]}},
        "",
        {
            "motion": "dc7f99ec554c187e8cd13fe6",
            "ctf": "36b8dbd89fea0b14f47c29fa",
            "picking": "off",
            "export": "ecb6b803ebe785e3c1c77d0f.off",
        },
    ),
]


ANEW: list[list[str]] = [["export"], ["export"], ["picking", "export"], ["export"], ["picking", "export"], ["export"]]
"""What runs of each: picking where it is on, and export, whose versions have grown since."""


@pytest.mark.parametrize(
    ("raw", "references", "stored", "runs"), [(*one, runs) for one, runs in zip(FORMER, ANEW, strict=True)]
)
def test_fingerprints_of_the_first_form_count_where_they_fit(
    raw: dict[str, Any], references: str, stored: dict[str, str], runs: list[str]
) -> None:
    settings = parse_settings(raw)
    plan = FingerprintPlan(settings, references)
    translated = FormerPlan(settings, references, plan).translated(stored, 10, 20)
    assert steps_to_run(plan.wanted(10, 20), translated) == runs
    assert FormerPlan(settings, references, plan).translated(stored, 11, 20) == stored
    other = parse_settings({**raw, "motion": {"range_max": 9.0}})
    other_plan = FingerprintPlan(other, references)
    assert FormerPlan(other, references, other_plan).translated(stored, 10, 20) == stored


def test_any_third_number_of_the_grid_is_recognised_and_the_search_for_it_ends() -> None:
    """It could be 1 to 4 096, had no effect, and was hashed. Here it was 900."""
    stored = {
        "motion": "dc7f99ec554c187e8cd13fe6",
        "ctf": "1ec406adf30ce34e0673b935",
        "picking": "5d9ffbb806a824cb59066ab5.69b90893",
        "export": "12c2b570d51c1dded679cbd1.off",
    }
    settings = parse_settings({"ctf": {"grid": [4, 3]}, "picking": {"diameter": 130.0}})
    plan = FingerprintPlan(settings)
    former = FormerPlan(settings, "", plan)
    assert steps_to_run(plan.wanted(10, 20), former.translated(stored, 10, 20)) == ["picking", "export"]
    foreign = {**stored, "ctf": "0" * 24}
    begun = time.process_time()
    for _ in range(60):
        assert former.translated(foreign, 10, 20)["ctf"] == "0" * 24
    assert time.process_time() - begun < 20, "measured 3 s: 20 whole searches, then short ones"
    translated = former.translated(stored, 10, 20)
    assert steps_to_run(plan.wanted(10, 20), translated) == ["picking", "export"], "what was found is tried first"


@pytest.mark.parametrize(
    "change",
    [
        {"picking": {"diameter": 130.0, "expected_false": 0.1, "adapt": True}},
        {"picking": {**Settings().to_dict()["picking"], "diameter": 130.0, "method": "blob", "aspect": 1.0}},
        {"export": {"particles": True, "float16": True, "box_size": 64}},
    ],
)
def test_settings_of_picks_and_boxes_leave_motion_and_ctf_of_the_first_form_alone(change: dict[str, Any]) -> None:
    raw, references, stored = FORMER[2]
    settings = parse_settings({**raw, **change})
    plan = FingerprintPlan(settings, references)
    translated = FormerPlan(settings, references, plan).translated(stored, 10, 20)
    assert steps_to_run(plan.wanted(10, 20), translated) == ["picking", "export"]


def test_the_first_form_is_translated_once_and_then_stays() -> None:
    settings = Settings()
    plan = FingerprintPlan(settings)
    now = plan.wanted(10, 20)
    assert FormerPlan(settings, "", plan).translated(now, 10, 20) == now
