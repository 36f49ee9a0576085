"""Settings that cannot work with movies are told by name, at the limits of the kernels, where most movies have them."""

from __future__ import annotations

from typing import Any

import pytest

from warpcore.services.session.facts import Facts
from warpcore.services.session.settings import Settings, parse_settings
from warpcore.services.session.workable import Field, Held, averaged, problems_with, refused_for, unworkable

FIELD = Field(512, 640, 1.1)


def settings(**sections: dict[str, Any]) -> Settings:
    given = {name.rstrip("_"): values for name, values in sections.items()}
    return parse_settings({**given, "import": {"pixel_size": 1.1, **given.get("import", {})}})


@pytest.mark.parametrize(
    ("section", "works", "fails", "name"),
    [
        ("picking", {"diameter": 450}, {"diameter": 451}, "picking.diameter"),
        ("picking", {"diameter": 4.5}, {"diameter": 4.3}, "picking.diameter"),
        (
            "picking",
            {"diameter": 99, "diameter_max": 450},
            {"diameter": 99, "diameter_max": 451},
            "picking.diameter_max",
        ),
        ("ctf", {"range_min": 2.3, "range_max": 2}, {"range_min": 2.2, "range_max": 2}, "ctf.range_min"),
        ("ctf", {"window": 4096}, {"range_min": 1.5, "range_max": 1}, "ctf.range_min"),
        ("motion", {"range_min": 3, "range_max": 2}, {"range_min": 2.25, "range_max": 1.5}, "motion.range_min"),
        ("motion", {"grid": [24, 24, 8]}, {"grid": [24, 25, 8]}, "motion.grid"),
        ("motion", {"grid": [33, 1, 5]}, {"grid": [34, 1, 5]}, "motion.grid"),
        ("motion", {"grid": [1, 26, 4096]}, {"grid": [1, 27, 5]}, "motion.grid"),
        ("motion", {"grid": [5, 5, 8]}, {"grid": [600, 600, 5]}, "motion.grid"),
        ("ctf", {"grid": [24, 24]}, {"grid": [24, 25]}, "ctf.grid"),
        ("ctf", {"grid": [33, 17]}, {"grid": [34, 1]}, "ctf.grid"),
        ("motion", {"range_min": 13, "range_max": 10}, {"range_min": 10.1, "range_max": 10}, "motion.range_min"),
    ],
)
def test_each_limit_is_told_with_its_setting(
    section: str, works: dict[str, Any], fails: dict[str, Any], name: str
) -> None:
    assert unworkable(settings(**{section: works}), FIELD) == []
    (problem,) = unworkable(settings(**{section: fails}), FIELD)
    assert problem.name == name
    assert problem.value == fails[name.partition(".")[2]]
    assert "640 × 512 px of 1.1 Å" in problem.text
    assert unworkable(settings(**{section: {**fails, "enabled": False}}), FIELD) == []


def test_nodes_of_small_pixels_lie_20_angstrom_apart_and_large_fields_have_a_bound_too() -> None:
    fine = Field(512, 512, 0.2)
    assert unworkable(settings(motion={"grid": [6, 6, 5]}, ctf={"grid": [6, 6]}), fine) == []
    found = unworkable(settings(motion={"grid": [7, 6, 5]}, ctf={"grid": [6, 7]}), fine)
    assert [one.name for one in found] == ["motion.grid", "ctf.grid"]
    (problem,) = unworkable(settings(motion={"grid": [100, 100, 8]}), Field(8192, 11520, 0.5))
    assert problem.name == "motion.grid"


def test_boxes_larger_than_the_average_are_told_only_where_they_are_cut() -> None:
    boxes = {"particles": True, "box_size": 514}
    (problem,) = unworkable(settings(picking={"diameter": 100}, export=boxes), FIELD)
    assert problem.name == "export.box_size"
    assert unworkable(settings(picking={"diameter": 100}, export={**boxes, "particle_pixel_size": 0.9}), FIELD) == []
    for off in (settings(export=boxes), settings(picking={"diameter": 100}, export={**boxes, "particles": False})):
        assert unworkable(off, FIELD) == []


def test_the_steps_that_run_alone_are_looked_at() -> None:
    wrong = settings(picking={"diameter": 800}, ctf={"range_min": 2, "range_max": 1})
    assert [one.name for one in unworkable(wrong, FIELD)] == ["ctf.range_min", "picking.diameter"]
    assert [one.name for one in unworkable(wrong, FIELD, ["picking"])] == ["picking.diameter"]


def test_averages_are_binned_and_upsampled() -> None:
    assert averaged(settings(import_={"binning": 1}), 4096, 4096, False) == Field(2048, 2048, 2.2)
    finer = settings(import_={"eer_upsampling": 2})
    assert averaged(finer, 4096, 4096, True) == Field(8192, 8192, 0.55)
    assert averaged(finer, 4096, 4096, False) == Field(4096, 4096, 1.1)


def held(side: int = 800, angstrom: float | None = 1.08, frames: int | None = 16, is_eer: bool = False) -> Held:
    facts = Facts(is_known=True, is_eer=is_eer, frames=frames, longest_px=side, header_angstrom=angstrom)
    return Held(side, side, is_eer, frames, facts)


def told(new: Settings, movies: list[Held], former: Settings | None = None) -> list[str]:
    return [fault["name"] for fault in refused_for(new, former or Settings(), movies)]


def test_what_most_movies_cannot_do_is_refused_and_one_odd_movie_hinders_nobody() -> None:
    """The session's atlas image of 30 Å is one of many."""
    usual, odd = held(), held(512, 18.0)
    wrong = parse_settings({"picking": {"diameter": 800}})
    (fault,) = refused_for(wrong, Settings(), [usual] * 9 + [odd])
    assert (fault["name"], fault["value"]) == ("picking.diameter", 800)
    assert "4.32 to 691.2 Å" in fault["problem"]
    assert fault["problem"].endswith("(9 of 10 movies)")
    assert told(parse_settings({"picking": {"diameter": 100}}), [usual] * 9 + [odd]) == []
    assert told(wrong, []) == []


def test_what_was_so_before_hinders_no_other_change() -> None:
    wrong = parse_settings({"picking": {"diameter": 800}})
    other = parse_settings({"picking": {"diameter": 900}})
    assert told(other, [held()] * 3, wrong) == []


def test_a_change_of_another_section_that_makes_it_so_is_refused_too() -> None:
    former = parse_settings({"picking": {"diameter": 150}})
    binned = parse_settings({"picking": {"diameter": 150}, "import": {"pixel_size": 0.2}})
    assert told(binned, [held()] * 3, former) == ["picking.diameter"]


@pytest.mark.parametrize(
    ("movie", "skipped", "names"),
    [
        (held(), {"skip_first": 8, "skip_last": 8}, ["import.skip_first"]),
        (held(), {"skip_first": 3, "skip_last": 13}, ["import.skip_last"]),
        (held(), {"skip_first": 7, "skip_last": 8}, []),
        (held(frames=400, is_eer=True), {"skip_first": 40}, ["import.skip_first"]),
        (held(frames=400, is_eer=True), {"skip_first": 39}, []),
        (held(frames=None), {"skip_first": 9000}, []),
    ],
)
def test_frames_that_are_left_out_must_leave_some(movie: Held, skipped: dict[str, int], names: list[str]) -> None:
    assert [one.name for one in problems_with(parse_settings({"import": skipped}), movie)] == names


def test_without_a_pixel_size_nothing_is_said_of_sizes() -> None:
    assert problems_with(parse_settings({"picking": {"diameter": 800}}), held(angstrom=None)) == []
