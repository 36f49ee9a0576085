"""No two movies have an output in common, whatever their files are called."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from warpcore.bus.vocabulary import ExportKind
from warpcore.services.session.allowed import is_output
from warpcore.services.session.paths import job_folder, movie_root
from warpcore.services.steps import Result, Section, result
from warpcore.services.steps.chain import CHAIN, Chain
from warpcore.services.steps.export import AVERAGE, ODD, PARTICLES
from warpcore.services.steps.step import RECORD, Output, Step, StepError


@result
class Nothing(Result):
    """A result without values."""


OUTPUTS = [RECORD, *(output for step in CHAIN for output in step.outputs)]
PIECES = st.sampled_from(
    [
        *("a", "odd", "even", "_", ".warpcore", "{suffix}", "{movie}", ".mrc", ".xml"),
        *("_stack", "_picks", "picks", "motion", "job-1", "particles", "exports"),
    ]
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
@example("a", "a.json/b", "picks")
@example(".warpcore/state", "a", "picks")
@example("job-1/a", "job-1_/a", "picks")
@example("particles/job-1/a_picks", "job-1/a", "picks")
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


JOBS = [job_folder(kind, number) for kind in ExportKind for number in (1, 20)]


@given(MOVIES, st.sampled_from(["picks", "a_picks"]))
@example("job-1/a", "picks")
@example("particles/job-1/a", "picks")
@example("exports/job-20/average/odd/a", "picks")
@example("exports/job-1", "picks")
def test_no_movie_has_a_file_in_the_folder_of_an_export_job(movie: str, suffix: str) -> None:
    for path in paths(movie, suffix):
        above = {path, *(str(folder) for folder in PurePosixPath(path).parents)}
        assert not above & set(JOBS), "a job that is deleted would take it along"


def test_a_folder_of_movies_that_is_called_as_a_job_is_set_apart_where_jobs_lie_alone() -> None:
    assert PARTICLES.path("job-1/a") == "particles/job-1_/a_picks.mrcs"
    assert PARTICLES.path("job-1_/a") == "particles/job-1__/a_picks.mrcs"
    assert AVERAGE.path("job-1/a") == "average/job-1/a.mrc"
    assert PARTICLES.path("grid/job-1/a") == "particles/grid/job-1/a_picks.mrcs"


def test_names_of_ordinary_movies_stay_as_they_are() -> None:
    for movie in ("a", "grid.1/a", "odd", "odder/a", "grid/odd/a", "a.mrc"):
        assert AVERAGE.path(movie) == f"average/{movie}.mrc"
    assert ODD.path(movie_root("grid/a.tif")) == "average/odd/grid/a.mrc"


@pytest.mark.parametrize(
    "pattern",
    [
        "average/denoised/{movie}.mrc",
        "average/{movie}_x.mrc",
        "motion/{movie}_{suffix}.json",
        "records/{movie}_denoised.json",
    ],
)
def test_a_step_whose_files_could_be_another_movies_is_refused(pattern: str) -> None:
    step = Step("denoise", 1, ("motion",), Section, Nothing, "a.b:C", "filters", outputs=(Output(pattern, ""),))
    with pytest.raises(StepError, match=r"can have the name of another movie's .*give it a folder of its own"):
        Chain((*CHAIN.steps, step))
