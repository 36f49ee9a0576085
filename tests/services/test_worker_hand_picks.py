"""A person's edits of picks: which picks they leave, and where they lie on an average of another size."""

from __future__ import annotations

import numpy as np
import pytest

from warpcore.bus.messages import HandPicks
from warpcore.kernels.picking import Picks
from warpcore.services.session.hand_picks import edits_id, placed, within_px
from warpcore.services.worker.steps.picking_by_hand import edited

SHAPE = (80, 100)
FOUND = Picks(np.array([10.0, 50.0, 90.0]), np.array([20.0, 40.0, 60.0]), np.array([0.9, 0.8, 0.7]), 0.95)


def positions(picks: Picks) -> list[tuple[float, float]]:
    return list(zip(picks.x_px.tolist(), picks.y_px.tolist(), strict=True))


def test_a_removed_pick_stays_removed_where_the_picker_finds_it_a_little_beside() -> None:
    picks = edited(FOUND, HandPicks(removed=[(53.0, 36.0)], width=100, height=80), SHAPE, near_px=5.0)
    assert positions(picks) == [(10.0, 20.0), (90.0, 60.0)]
    assert picks.scores.tolist() == [0.9, 0.7]
    assert picks.certainty == 0.95


def test_a_removed_position_reaches_no_further() -> None:
    hand = HandPicks(removed=[(53.1, 36.0)], width=100, height=80)
    assert positions(edited(FOUND, hand, SHAPE, near_px=5.0)) == positions(FOUND)


def test_added_picks_come_first_and_stand_for_what_the_picker_finds_there() -> None:
    hand = HandPicks(added=[(70.0, 10.0), (88.0, 61.0)], width=100, height=80)
    picks = edited(FOUND, hand, SHAPE, near_px=5.0)
    assert positions(picks) == [(70.0, 10.0), (88.0, 61.0), (10.0, 20.0), (50.0, 40.0)]
    assert picks.scores.tolist() == [1.0, 1.0, 0.9, 0.8]


def test_edits_hold_where_the_picker_finds_nothing() -> None:
    nothing = Picks(np.zeros(0), np.zeros(0), np.zeros(0))
    hand = HandPicks(added=[(70.0, 10.0)], removed=[(1.0, 1.0)], width=100, height=80)
    assert positions(edited(nothing, hand, SHAPE, near_px=5.0)) == [(70.0, 10.0)]
    assert positions(edited(nothing, HandPicks(removed=[(1.0, 1.0)], width=100, height=80), SHAPE, near_px=5.0)) == []


def test_positions_stay_at_their_place_on_a_binned_average() -> None:
    hand = HandPicks(added=[(-0.5, 79.5), (49.5, 39.5)], width=100, height=80)
    assert placed(hand.added, hand, 50, 40) == [(-0.5, 39.5), (24.5, 19.5)]
    assert placed(hand.added, hand, 100, 80) == hand.added


def test_edits_are_named_by_what_they_hold() -> None:
    one = HandPicks([(1.0, 2.0)], [], 100, 80)
    assert edits_id(HandPicks(width=100, height=80)) == ""
    others = HandPicks([], [(1.0, 2.0)], 100, 80), HandPicks([(1.0, 2.0)], [], 50, 80)
    names = [edits_id(edits) for edits in (one, *others)]
    assert len({"", *names}) == 4
    assert edits_id(HandPicks([(1.0, 2.0)], [], 100, 80)) == names[0]


@pytest.mark.parametrize(("diameter", "pixels"), [(160.0, 20.0), (None, 12.5)])
def test_near_is_a_quarter_of_a_diameter(diameter: float | None, pixels: float) -> None:
    assert within_px(diameter, 2.0) == pixels
