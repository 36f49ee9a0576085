"""Movies by where they were recorded: groups, squares with a verdict, the map. Pure parts, on movies of the tests'."""

from __future__ import annotations

import io
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.services.api.mirrored_movies import mirror_of, movies
from tests.services.api.placed_movies import movie, session
from warpcore.bus.messages import Movie
from warpcore.bus.vocabulary import MovieStatus, Verdict
from warpcore.cli.squares import table
from warpcore.services.api.mirror.catalogue import COLUMNS, Kind
from warpcore.services.api.mirror.cells import cells
from warpcore.services.api.mirror.grouping import grouped, medians
from warpcore.services.api.mirror.mirror import Copied
from warpcore.services.api.place.drawing import RAMP, ramp_colour
from warpcore.services.api.place.feed import news
from warpcore.services.api.place.mapping import map_of, needed
from warpcore.services.api.place.points import positions_um, spacing_um
from warpcore.services.api.place.squares import NEEDED, squares_of
from warpcore.services.api.place.verdicts import Counts, verdict_of, wilson
from warpcore.services.api.views import SquaresView

DEFOCUS = COLUMNS["ctf.defocusUm"]
GROUPABLE = [column for column in COLUMNS.values() if column.kind is not Kind.TEXT]


def copy_of(found: list[Movie]) -> Copied:
    return mirror_of(found).copied({column.source for column in COLUMNS.values()})


def squares(found: list[Movie]) -> SquaresView:
    return squares_of(mirror_of(found).copied(NEEDED))


@settings(max_examples=60, deadline=None)
@given(movies(), st.lists(st.sampled_from(GROUPABLE), min_size=1, max_size=2, unique=True))
def test_each_movie_is_in_the_one_group_of_its_values(found: list[Movie], by: list) -> None:  # type: ignore[type-arg]
    copied = copy_of(found)
    rows = np.arange(len(found))
    values = list(zip(*(cells(copied, column, rows) for column in by), strict=True))
    groups = grouped(copied, by, rows)
    assert sorted(row for group in groups for row in group.rows) == rows.tolist()
    assert len({group.values for group in groups}) == len(groups)
    for group in groups:
        assert {values[row] for row in group.rows} == {group.values}
        told = [one for row in group.rows if (one := cells(copied, DEFOCUS, np.array([row]))[0]) is not None]
        wanted = round(statistics.median(told), DEFOCUS.digits) if told else None
        assert medians(copied, [DEFOCUS], group.rows) == {DEFOCUS.name: wanted}


def test_groups_come_in_order_those_without_a_value_last() -> None:
    found = [movie(1, place_square="10"), movie(2, place_square="9"), movie(3), movie(4, place_square="a")]
    groups = grouped(copy_of(found), [COLUMNS["place.square"]], np.arange(4))
    assert [group.values[0] for group in groups] == ["9", "10", "a", None]


def test_squares_and_their_holes() -> None:
    view = squares([*session(), movie(99, place_stage_x_um=1.0)])
    good, poor = view.squares
    assert [(one.grid, one.square, one.movies, one.good) for one in view.squares] == [
        ("g", "9", 20, 20),
        ("g", "10", 20, 0),
    ]
    assert (good.verdict, poor.verdict) == (Verdict.GOOD, Verdict.POOR)
    assert good.medians.resolution_angstrom == pytest.approx(3.7)
    assert (good.medians.defocus_um, good.medians.off_target_um, good.medians.particles) == (1.1, 0.1, 102)
    assert (poor.good_share, poor.medians.resolution_angstrom, poor.stage_x_um) == (0.0, 7.0, 64.0)
    assert poor.advice == "poor: 0 of 20 movies good (0 %); 20 filtered out; resolution 7.0 Å, in the session 5.5"
    assert [hole.hole for hole in good.holes] == ["00", "01", "02", "03"]
    assert {(hole.done, hole.verdict) for hole in good.holes} == {(5, Verdict.GOOD)}
    assert view.without_square == 1


def test_the_command_lines_table() -> None:
    titles, lines = table(squares(session()), holes=True)
    shown = dict(zip(titles, lines[0], strict=True))
    assert (shown["square"], shown["movies"], shown["good"], shown["res. Å"], shown["off µm"]) == (
        *("9", "20", "100 %", "3.7", "0.10"),
    )
    assert shown["verdict"] == "good: 20 of 20 movies good (100 %)"
    assert [line[1] for line in lines] == ["", "00", "01", "02", "03", "", "10", "11", "12", "13"]
    assert [line[0] for line in table(squares(session()), holes=False)[1]] == ["9", "10"]


def test_movies_that_wait_say_nothing_of_a_square() -> None:
    waiting = [movie(number, MovieStatus.UNPROCESSED, place_square="7") for number in range(1, 9)]
    (square,) = squares(waiting).squares
    assert (square.movies, square.done, square.good_share, square.verdict) == (8, 0, None, Verdict.FEW)
    assert squares([]).squares == squares([movie(1)]).squares == []


@pytest.mark.parametrize(
    ("done", "good", "verdict"),
    [
        (0, 0, Verdict.FEW),
        (4, 4, Verdict.FEW),
        (5, 5, Verdict.GOOD),
        (5, 4, Verdict.FEW),
        (8, 0, Verdict.POOR),
        (11, 6, Verdict.FEW),
        (12, 6, Verdict.MIDDLING),
        (100, 55, Verdict.MIDDLING),
        (100, 60, Verdict.GOOD),
        (100, 40, Verdict.POOR),
    ],
)
def test_a_verdict_is_more_than_chance(done: int, good: int, verdict: Verdict) -> None:
    assert verdict_of(Counts(done, good), {}, {})[0] == verdict


def test_the_interval_holds_the_true_share_nine_times_in_ten() -> None:
    """Over shares from 0.1 to 0.9 and 20 movies: 0.90 measured, as published for Wilson's interval."""
    random = np.random.default_rng(3)
    shares = random.uniform(0.1, 0.9, 4000)
    held = [low <= share <= high for share in shares for low, high in [wilson(20, int(random.binomial(20, share)))]]
    assert np.mean(held) == pytest.approx(0.90, abs=0.02)


def test_reasons_name_what_is_worse_than_in_the_session() -> None:
    session_ = {"ctf.resolutionAngstrom": 4.0, "ctf.iceThickness": 1.0, "picking.count": 200.0}
    here = {"ctf.resolutionAngstrom": 4.5, "ctf.iceThickness": 1.5, "picking.count": 100.0}
    assert verdict_of(Counts(20, 5, 3), here, session_)[1] == (
        "poor: 5 of 20 movies good (25 %); 12 filtered out, 3 failed; "
        "ice 1.50, in the session 1.00; particles 100, in the session 200"
    )
    assert verdict_of(Counts(20, 20), here, session_)[1] == "good: 20 of 20 movies good (100 %)"
    assert verdict_of(Counts(20, 5), dict.fromkeys(here), session_)[1].endswith("(25 %); 15 filtered out")


def test_a_feed_tells_what_has_changed_alone() -> None:
    before, after = squares(session()), squares([*session(), movie(99, place_grid="g", place_square="9")])

    def by_key(view: SquaresView) -> dict:  # type: ignore[type-arg]
        return {(one.grid, one.square): one for one in view.squares}

    assert news(None, by_key(before), before).startswith(b"event: squares\n")
    assert news(by_key(before), by_key(before), before) == b""
    told = news(by_key(before), by_key(after), after)
    assert told.count(b"event: square\n") == 1
    assert b'"square":"9"' in told
    assert news(by_key(after), {}, before).startswith(b"event: squares\n")


def test_beam_shifts_spread_movies_around_their_stage_position() -> None:
    stage = np.array([[0.0, 0.0]] * 3 + [[10.0, 0.0]] * 2)
    shift = np.array([[5.0, 1.0], [5.2, 1.0], [4.8, 1.0], [7.0, 1.2], [np.nan, np.nan]])
    drawn = positions_um(stage, shift)
    # The widest is drawn as 0.4 of the 10 µm between stage positions; their means stay where they are.
    np.testing.assert_allclose(drawn, [[0, 0], [4, 0], [-4, 0], [10, 0], [10, 0]], atol=1e-9)
    np.testing.assert_array_equal(positions_um(stage, np.full_like(shift, np.nan)), stage)
    assert spacing_um(np.array([[0.0, 0.0], [3.0, 4.0], [3.0, 5.0]])) == 1.0


def pixels(found: list[Movie], colour: str, square: str | None = None) -> np.ndarray:
    column = COLUMNS[colour]
    png = map_of(mirror_of(found).copied(needed(column)), column, square, 700, 500)
    assert png is not None
    return np.asarray(Image.open(io.BytesIO(png)))


def share_of(picture: np.ndarray, colour: tuple[int, int, int], part: slice) -> float:
    return float((picture[:, part] == colour).all(axis=-1).mean())


def test_a_map_shows_each_square_in_its_colour() -> None:
    """The good square lies left and has low values, the poor one right and has the highest colour."""
    picture = pixels(session(), "ctf.resolutionAngstrom")
    assert picture.shape == (500, 700, 3)
    left, right = slice(0, 250), slice(300, 530)
    assert share_of(picture, RAMP[-1], right) > 10 * share_of(picture, RAMP[-1], left)
    assert ramp_colour(0.0) == RAMP[0]
    assert ramp_colour(9.0) == RAMP[-1]


def test_a_map_of_words_and_of_one_square() -> None:
    assert not np.array_equal(pixels(session(), "status"), pixels(session(), "ctf.defocusUm"))
    assert not np.array_equal(pixels(session(), "status"), pixels(session(), "status", "9"))
    times = [movie(1, place_stage_x_um=0.0, place_stage_y_um=0.0, place_recorded_at=1.7e9)]
    assert pixels(times, "place.recordedAt").shape == (500, 700, 3)
    many = [movie(n, place_stage_x_um=float(n), place_stage_y_um=0.0, place_hole=str(n)) for n in range(1, 100)]
    assert pixels(many, "place.hole").shape == (500, 700, 3)


def test_no_map_without_stage_positions() -> None:
    column = COLUMNS["status"]
    for found, square in (([], None), ([movie(1, place_square="7")], None), (session(), "none")):
        assert map_of(mirror_of(found).copied(needed(column)), column, square, 700, 500) is None
