"""The chain of steps: order, dependencies, and steps that a site installs."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import sys
from pathlib import Path
from typing import Any

import pytest

from warpcore.services.session.settings import Settings, parse_settings
from warpcore.services.steps import (
    INPUT,
    Learning,
    Limit,
    Output,
    Result,
    Section,
    Step,
    StepError,
    column,
    result,
    setting,
)
from warpcore.services.steps.chain import CHAIN, ENTRY_POINTS, Chain, load_chain
from warpcore.services.steps.columns import limits_of
from warpcore.services.steps.fields import Reach, reach_of
from warpcore.services.steps.step import RUN
from warpcore.services.worker.steps.doing import doing_of


class Nothing(Section):
    enabled: bool = setting(True, "off: nothing")


@result
class Empty(Result):
    value: float | None = column("value", "a value", unit="px", digits=2, default=None)


def step(name: str, *parents: str, **more: Any) -> Step:
    return Step(name, 1, parents, section=Nothing, result=Empty, doing="nowhere:NOTHING", description="nothing", **more)


def test_each_step_follows_its_parents_and_keeps_its_place_otherwise() -> None:
    chain = Chain([step("c", "b"), step("a", INPUT), step("d", INPUT), step("b", "a")])
    assert chain.names == ("a", "d", "b", "c")
    assert CHAIN.names[:4] == ("motion", "ctf", "picking", "export")


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        (lambda: [step("a", "x")], "parent 'x' is no step"),
        (lambda: [step("a", INPUT), step("a", INPUT)], "declared twice"),
        (lambda: [step("a", "b"), step("b", "a")], "each other's parents"),
        (lambda: [step("import", INPUT)], "another name"),
        (lambda: [step("a")], "name its parents"),
    ],
)
def test_impossible_steps_are_refused_by_name(steps: Any, told: str) -> None:
    with pytest.raises(StepError, match=told):
        Chain(steps())


@pytest.mark.parametrize(
    ("gone", "export", "again"),
    [
        (["picking"], {}, ["picking"]),
        (["picking"], {"particles": True}, ["picking", "export"]),
        (["ctf"], {}, ["ctf", "picking", "export"]),
        (["motion"], {}, ["motion", "ctf", "picking", "export"]),
        (["export"], {"particles": True}, ["export"]),
    ],
)
def test_what_builds_on_a_step_runs_again_with_it_and_nothing_else(
    gone: list[str], export: dict[str, bool], again: list[str]
) -> None:
    settings = parse_settings({"picking": {"diameter": 100.0}, "export": export})
    assert settings.following(*gone) == again


def test_a_step_that_is_switched_off_is_not_among_those_that_follow() -> None:
    assert Settings().following("motion") == ["motion", "ctf", "export"]


@result
class Claiming(Result):
    value: float | None = column(
        "value", "a value", json="Value", limits=(Limit("value_max", 1.0, upper=True),), default=None
    )


@result
class ClaimingTheMovies(Result):
    value: float | None = column("value", "a value", json="Frames", default=None)


def test_two_steps_cannot_claim_one_file_key_or_limit() -> None:
    """One of them would silently destroy, or stand for, what the other has made."""
    file = (Output("average/{movie}.mrc", "an image"),)
    with pytest.raises(StepError, match=r"step 'b' declares the file average/\{movie\}.mrc, as 'a' does"):
        Chain([step("a", INPUT, outputs=file), step("b", INPUT, outputs=file)])
    claiming = [dataclasses.replace(step(name, INPUT), result=Claiming) for name in "ab"]
    with pytest.raises(StepError, match="declares the key Value"):
        Chain(claiming)
    of_the_movie = dataclasses.replace(step("c", INPUT), result=ClaimingTheMovies)
    with pytest.raises(StepError, match="declares the key Frames, as 'input' does"):
        Chain([of_the_movie])


OF_RESULTS = ["input", "run", "latency", "write"]


@pytest.mark.parametrize(
    "name", ["steps", "section", "runs", "following", "to_dict", "copy", "model_dump", *OF_RESULTS]
)
def test_a_step_cannot_be_called_as_what_settings_can_do_or_what_stands_beside_results(name: str) -> None:
    with pytest.raises(StepError, match="choose another name"):
        step(name, INPUT)


def test_each_step_has_its_time_among_the_columns() -> None:
    chain = Chain([step("a", INPUT), step("b", "a")])
    times = [column.name for column in chain.columns if column.step == RUN and column.title.endswith("time s")]
    assert times == ["run.load_s", "run.defects_s", "run.a_s", "run.b_s", "run.correct_s", "run.write_s"]


def test_a_setting_of_a_cheap_half_needs_one() -> None:
    class Cheap(Section):
        sigma: float = setting(1.0, "a value", reach=Reach.CHEAP)

    with pytest.raises(StepError, match="sigma is a setting of its cheap half"):
        dataclasses.replace(step("a", INPUT), section=Cheap, cheap=None)


@result
class Teaching(Result):
    evidence: dict[str, Any] | None = None


@result
class TeachingTwice(Result):
    evidence: dict[str, Any] | None = None
    choice: str | None = None


@result
class Showing(Result):
    evidence: dict[str, Any] | None = column("evidence", "what it tells", default=None)


LEARNS = Learning(count=lambda section: 3, pool=lambda section, lessons: {}, describe=lambda choice: "nothing")


@pytest.mark.parametrize(
    ("kind", "told"),
    [(Empty, "needs a field `evidence`"), (Showing, "that is no column"), (TeachingTwice, "can be called `choice`")],
)
def test_a_step_that_learns_has_evidence_in_its_result_and_nothing_in_the_way(kind: Any, told: str) -> None:
    assert dataclasses.replace(step("a", INPUT), result=Teaching, learning=LEARNS).learning is LEARNS
    with pytest.raises(StepError, match=told):
        dataclasses.replace(step("a", INPUT), result=kind, learning=LEARNS)


def test_all_that_a_step_builds_on_is_found_through_others_too() -> None:
    chain = Chain([step("a", INPUT), step("b", "a"), step("c", INPUT), step("d", "b"), step("e", "d", "c")])
    sections = {one.name: one.section() for one in chain}
    assert [chain.before(name, sections) for name in "ade"] == [set(), {"a", "b"}, {"a", "b", "c", "d"}]
    settings = parse_settings({"export": {"particles": True}, "picking": {"diameter": 100.0}})
    assert CHAIN.before("export", settings.steps) == {"motion", "ctf"}, "its costly half alone learns"


def test_two_limits_with_one_name_are_refused() -> None:
    site = dataclasses.replace(
        step("site", INPUT),
        derived=(),
        result=dataclasses.make_dataclass(
            "Other",
            [("value", float, column("x", "y", limits=(Limit("motion_max", None, upper=False),), default=0.0))],
            bases=(Result,),
            frozen=True,
        ),
    )
    with pytest.raises(StepError, match=r"declares the limit filter\.motion_max, as 'motion' does"):
        Chain([*CHAIN, site])


def test_outputs_name_their_folders_and_keep_sub_folders() -> None:
    one = Output("matching/{movie}_{suffix}.star", "")
    assert one.path("grid1/a", "mine") == "matching/grid1/a_mine.star"
    assert (one.folder, Output("{movie}.xml", "").folder) == ("matching", "")
    assert set(CHAIN.folders) == {
        *("average", "deconv", "powerspectrum", "motion", "matching", "mask", "particles", "thumbnails")
    }


def test_every_step_has_a_doer_and_every_setting_a_description() -> None:
    for one in CHAIN:
        assert doing_of(one) is not None
        for name, field in one.section.model_fields.items():
            assert field.description, f"{one.name}.{name}"
            assert reach_of(field)


def entry(name: str, value: str) -> importlib.metadata.EntryPoint:
    return importlib.metadata.EntryPoint(name, value, ENTRY_POINTS)


def test_an_installed_step_that_cannot_be_used_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site_steps_for_test.py").write_text(
        "from warpcore.services.steps import *\n"
        "class S(Section):\n    enabled: bool = setting(True, 'off')\n"
        "@result\nclass R(Result):\n    pass\n"
        "def make(name, *parents):\n"
        "    return Step(name, 1, parents, section=S, result=R, doing='x:y', description='d')\n"
        "good, other = make('good', 'motion'), make('wrong', 'motion')\n"
        "orphan, text = make('orphan', 'nobody'), 'text'\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    module = "site_steps_for_test"
    (tmp_path / "ends_when_imported.py").write_text("raise SystemExit(3)\n")
    assert "cannot be loaded" in load_chain([entry("ends", "ends_when_imported:STEP")]).faults[0]
    installed = {"good": f"{module}:good", "text": f"{module}:text", "other": f"{module}:other", "gone": "no_such:STEP"}
    chain = load_chain(entry(name, value) for name, value in installed.items())
    assert chain.names == ("motion", "ctf", "picking", "export", "good")
    assert [fault.partition(" of ")[0] for fault in chain.faults] == ["step 'gone'", "step 'other'", "step 'text'"]
    assert "no_such" in chain.faults[0]
    assert load_chain([entry("orphan", f"{module}:orphan")]).names == ("motion", "ctf", "picking", "export")
    del sys.modules[module]


def test_each_word_for_motion_has_one_meaning() -> None:
    """The mean early step and the total are two figures, 1.8 and 20 Å of one movie: none is called motion alone."""
    shown = {column.heading: column.field for column in CHAIN.columns if column.step == "motion"}
    assert shown["early step"] == "mean_frame_movement_angstrom"
    assert shown["total motion"] == "accumulated_total_angstrom"
    assert "motion" not in shown
    ((column, limit),) = [one for one in limits_of(CHAIN.columns) if one[0].step == "motion"]
    assert (limit.name, column.noun) == ("motion_max", "mean early step")
    fields = Settings.model_fields["filter"].annotation
    assert fields is not None
    assert "highest mean early step" in str(fields.model_fields["motion_max"].description)
