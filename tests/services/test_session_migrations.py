"""Stored settings of earlier versions come to this one; what it cannot use is set aside and not lost."""

from __future__ import annotations

from typing import Any

import pytest

from warpcore.services.session.migrations import LATEST, MIGRATIONS, adopt, migrated
from warpcore.services.session.settings import Settings


def test_the_third_number_of_the_ctf_grid_goes() -> None:
    old = {"ctf": {"grid": [5, 4, 1], "voltage": 200.0}, "motion": {"grid": [5, 5, 4]}}
    new = migrated(old)
    assert new == {"ctf": {"grid": [5, 4], "voltage": 200.0}, "motion": {"grid": [5, 5, 4]}}
    assert old["ctf"]["grid"] == [5, 4, 1], "it is pure"
    assert migrated({"ctf": {"grid": None}}) == {"ctf": {"grid": None}}
    assert adopt(old).settings.ctf.grid == [5, 4]


def test_a_migration_is_applied_once_and_has_a_name_of_its_own() -> None:
    old = {"ctf": {"grid": [5, 4, 1]}}
    assert migrated(old, LATEST) == old
    assert migrated(old, "one of a newer version") == old
    assert len({migration.name for migration in MIGRATIONS}) == len(MIGRATIONS)


@pytest.mark.parametrize("migration", MIGRATIONS, ids=lambda migration: migration.name)
def test_todays_settings_stay_as_they_are(migration: Any) -> None:
    for raw in (Settings().to_dict(), {}, {"ctf": 7}, {"ctf": {"grid": "odd"}}):
        assert migration.change(raw) == raw


@pytest.mark.parametrize(
    ("raw", "aside"),
    [
        ({"ctf": {"volts": 300, "voltage": 200.0}}, {"ctf.volts": 300}),
        ({"ctf": {"voltage": -5.0}}, {"ctf.voltage": -5.0}),
        ({"ctf": {"grid": [0, 4]}}, {"ctf.grid": [0, 4]}),
        ({"old": {"x": 1}, "ctf": {"voltage": 200.0}}, {"old": {"x": 1}}),
        ({"ctf": 7}, {"ctf": 7}),
        ({"ctf": {"range_min": 3.0}}, {"ctf": {"range_min": 3.0}}),
        ({"ctf": {"volts": 1, "cs": "two"}, "filter": {"odd": 2}}, {"ctf.volts": 1, "ctf.cs": "two", "filter.odd": 2}),
    ],
)
def test_what_is_unknown_or_impossible_is_set_aside(raw: dict[str, Any], aside: dict[str, Any]) -> None:
    adopted = adopt(raw)
    assert adopted.set_aside == aside
    known = 200.0 if isinstance(raw.get("ctf"), dict) and raw["ctf"].get("voltage") == 200.0 else None
    assert adopted.settings.ctf.voltage == known, "all else is in force"


def test_what_was_set_aside_is_taken_up_again_by_a_version_that_knows_it() -> None:
    adopted = adopt({"ctf": {"cs": 2.0}}, LATEST, {"ctf.voltage": 200.0, "ctf.volts": 1, "old": 3})
    assert (adopted.settings.ctf.voltage, adopted.settings.ctf.cs) == (200.0, 2.0)
    assert adopted.set_aside == {"ctf.volts": 1, "old": 3}


def test_a_setting_and_its_section_that_were_set_aside_are_both_taken_up_again() -> None:
    raw = {"ctf": {"voltage": 5000.0, "range_min": 3.0, "range_max": 4.0}}
    once = adopt(raw)
    assert set(once.set_aside) == {"ctf", "ctf.voltage"}
    again = adopt(once.settings.to_dict(), LATEST, once.set_aside)
    assert again.set_aside == once.set_aside


def _stored_picking(**changed: Any) -> dict[str, Any]:
    """Picking as a version before scores were probabilities stored it."""
    old = {**Settings().to_dict()["picking"], "method": "blob", "aspect": 1.0, **changed}
    return {"picking": {name: old[name] for name in old if name not in ("expected_false", "adapt", "first_movies")}}


@pytest.mark.parametrize(
    ("method", "before", "after"),
    [("blob", 0.45, 0.17), ("template", 0.55, 0.83), ("blob", 0.5, 0.5), ("network", 0.45, 0.45), ("blob", 0.0, 0.0)],
)
def test_thresholds_become_probabilities_with_a_word(method: str, before: float, after: float) -> None:
    adopted = adopt(_stored_picking(method=method, threshold=before))
    assert adopted.settings.picking.threshold == after
    assert adopted.settings.picking.method == method
    assert adopted.set_aside == {}
    told = " ".join(adopted.words)
    assert ("picking.threshold" in told) is (before != after)


def test_a_threshold_that_a_person_writes_today_is_meant_as_it_stands() -> None:
    for picking in ({"threshold": 0.45, "method": "blob"}, {**_stored_picking()["picking"], "expected_false": None}):
        assert migrated({"picking": picking}) == {"picking": picking}
    assert adopt(_stored_picking(threshold=0.45), LATEST).settings.picking.threshold == 0.45
