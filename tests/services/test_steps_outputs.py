"""No two movies have an output in common, whatever their files are called."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from warpcore.services.session.paths import is_output, movie_root
from warpcore.services.steps import Result, Section, result
from warpcore.services.steps.chain import CHAIN, Chain
from warpcore.services.steps.export import AVERAGE, ODD
from warpcore.services.steps.step import Output, Step, StepError


@result
class Nothing(Result):
    """A result without values."""


OUTPUTS = [output for step in CHAIN for output in step.outputs]
PIECES = st.sampled_from(
    ["a", "odd", "even", "_", ".warpcore", "{suffix}", "{movie}", ".mrc", ".xml", "_stack", "_picks", "picks", "motion"]
)
SEGMENTS = st.lists(PIECES, min_size=1, max_size=3).map("".join)
MOVIES = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)


def paths(movie: str, suffix: str) -> dict[str, str]:
    """The pattern that each output of a movie comes from, by path."""
    return {output.path(movie, suffix): output.pattern for output in OUTPUTS}


@given(MOVIES, MOVIES, st.sampled_from(["picks", "a_picks"]))
@example("a", "odd/a", "picks")
@example("odd/a", "odd_/a", "picks")
@example("apicks", "a{suffix}", "picks")
@example("a", "a.mrc/b", "picks")
@example(".warpcore/state", "a", "picks")
def test_no_two_movies_have_an_output_in_common(one: str, other: str, suffix: str) -> None:
    mine = paths(one, suffix)
    assert len(mine) == len(OUTPUTS)
    assert all(map(is_output, mine))
    if one == other:
        return
    others = paths(other, suffix)
    assert not mine.keys() & others.keys()
    folders = {str(folder) for path in others for folder in PurePosixPath(path).parents}
    assert not mine.keys() & folders, "a file where the other needs a folder"


def test_names_of_ordinary_movies_stay_as_they_are() -> None:
    for movie in ("a", "grid.1/a", "odd", "odder/a", "grid/odd/a", "a.mrc"):
        assert AVERAGE.path(movie) == f"average/{movie}.mrc"
    assert ODD.path(movie_root("grid/a.tif")) == "average/odd/grid/a.mrc"


@pytest.mark.parametrize(
    "pattern", ["average/denoised/{movie}.mrc", "average/{movie}_x.mrc", "motion/{movie}_{suffix}.json"]
)
def test_a_step_whose_files_could_be_another_movies_is_refused(pattern: str) -> None:
    step = Step("denoise", 1, ("motion",), Section, Nothing, "a.b:C", "filters", outputs=(Output(pattern, ""),))
    with pytest.raises(StepError, match=r"can have the name of another movie's .*give it a folder of its own"):
        Chain((*CHAIN.steps, step))
