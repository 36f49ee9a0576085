"""What picking learns from a session's first movies: pure decisions."""

from __future__ import annotations

from typing import Any

import pytest

from warpcore.services.steps.learning import Lesson
from warpcore.services.steps.picking import PickingSettings
from warpcore.services.steps.picking_learning import count, describe, pool


def lessons(*evidences: dict[str, Any]) -> list[Lesson]:
    return [Lesson(f"m{number}", evidence) for number, evidence in enumerate(evidences)]


def evidence(disc: tuple[float, float], ring: tuple[float, float], network: float, **more: Any) -> dict[str, Any]:
    return {"shapes": {"disc 1": list(disc), "ring 1": list(ring)}, "gains": {"network": network}, **more}


@pytest.mark.parametrize(
    ("given", "movies"),
    [
        ({"diameter": 130}, 8),
        ({"diameter": 130, "first_movies": 3}, 3),
        ({"diameter": 130, "method": "blob"}, 8),
        ({"diameter": 130, "method": "network"}, 0),
        ({"diameter": 130, "method": "network", "adapt": True}, 8),
        ({}, 0),
        ({"diameter": 130, "enabled": False}, 0),
    ],
)
def test_something_is_learnt_where_there_is_a_choice(given: dict[str, Any], movies: int) -> None:
    assert count(PickingSettings(**given)) == movies


def test_shapes_are_pooled_over_movies_and_not_voted_on() -> None:
    first, second = evidence((5, 3), (4, 9), 0), evidence((1, 1), (90, 40), 0)
    chosen = pool(PickingSettings(diameter=130, method="blob"), lessons(first, first, second))
    assert chosen == {"method": "blob", "shape": "ring 1"}, "two movies prefer discs a little, one rings by far"


def test_blobs_and_network_go_together_unless_blobs_are_blind() -> None:
    auto = PickingSettings(diameter=130)
    # The ring is the pooled shape; the disc's larger gain on one movie does not count.
    movies = lessons(evidence((5, 100), (50, 30), 80), evidence((5, 1), (50, 30), 41))
    assert pool(auto, movies) == {"method": "network", "shape": None}, "60 is under half of 121"
    movies = lessons(evidence((5, 1), (50, 30), 80), evidence((5, 1), (50, 30), 39))
    assert pool(auto, movies) == {"method": "both", "shape": "ring 1"}
    movies = lessons(evidence((5, 1), (50, 30), 0))
    assert pool(auto, movies) == {"method": "both", "shape": "ring 1"}, "the network is a check on blobs"


def test_a_network_that_gains_next_to_nothing_tells_nothing_against_blobs() -> None:
    noise = lessons(evidence((0, 0), (0, 0), 0.9), evidence((0, 0), (0, 0), 0.7))
    assert pool(PickingSettings(diameter=130), noise)["method"] == "both", "white noise"
    weak = lessons(evidence((0, 0), (0, 0), 1.2), evidence((0, 0), (0, 0), 0.9))
    assert pool(PickingSettings(diameter=130), weak)["method"] == "network"


def test_settings_that_leave_one_method_have_that_one() -> None:
    network = lessons(evidence((5, 1), (5, 1), 99))
    assert pool(PickingSettings(diameter=130, diameter_max=200), network) == {"method": "blob", "shape": "disc 1"}
    templates = lessons({"shapes": {}, "gains": {"template": 0.0}})
    assert pool(PickingSettings(templates_path="/t.mrcs"), templates) == {"method": "template", "shape": None}
    assert pool(PickingSettings(diameter=130, method="both"), network) == {"method": "both", "shape": "disc 1"}


def test_templates_of_the_user_are_used_where_they_gain_most() -> None:
    auto, one = PickingSettings(diameter=130), evidence((5, 1), (50, 30), 20)
    with_templates = {**one, "gains": {"network": 20, "template": 30}}
    assert pool(auto, lessons(with_templates)) == {"method": "template", "shape": None}
    with_templates = {**one, "gains": {"network": 20, "template": 29}}
    assert pool(auto, lessons(with_templates))["method"] == "both"


def test_equals_are_decided_alike_whatever_the_order() -> None:
    one = evidence((50, 30), (50, 30), 30)
    turned = {**one, "shapes": dict(reversed(one["shapes"].items()))}
    blobs = PickingSettings(diameter=130, method="blob")
    assert (
        pool(blobs, lessons(one, turned)) == pool(blobs, lessons(turned, one)) == {"method": "blob", "shape": "disc 1"}
    )


def test_sure_picks_go_with_the_choice_where_templates_are_asked_for() -> None:
    movies = lessons(evidence((5, 1), (50, 30), 40, sure=[[1.0, 2.0], [3.0, 4.0]]), evidence((5, 1), (50, 30), 40))
    chosen = pool(PickingSettings(diameter=130, adapt=True), movies)
    assert chosen["sure"] == [{"movie": "m0", "xy": [[1.0, 2.0], [3.0, 4.0]]}]
    told = "both blobs and network, shape ring 1, templates to be tried, from 2 sure picks of 1 movies"
    assert describe(chosen) == told
    assert "sure" not in pool(PickingSettings(diameter=130), movies)


def test_nothing_found_anywhere_is_a_choice_too() -> None:
    chosen = pool(PickingSettings(diameter=130), lessons({"shapes": {}, "gains": {}}))
    assert chosen == {"method": "network", "shape": None}, "blobs need a shape"
    empty = evidence((0, 0), (0, 0), 0)
    assert pool(PickingSettings(diameter=130), lessons(empty, empty)) == {"method": "both", "shape": "disc 1"}
