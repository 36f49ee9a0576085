"""What a failure is called, and which step it is blamed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.services.test_worker_pipeline import settings, wanted_by
from warpcore.bus.messages import AssignTask
from warpcore.bus.vocabulary import FailureKind
from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import parse_settings
from warpcore.services.worker.failures import TaskError, classify
from warpcore.services.worker.local import process_files
from warpcore.services.worker.pipeline import compute, load
from warpcore.services.worker.steps import ctf
from warpcore.services.worker.steps.work import Work


def test_a_text_that_is_no_utf_8_is_told_so_that_it_can_be_sent() -> None:
    """As of a file whose name is Latin-1: the text would end the compute process instead of the task."""
    for error in (InputError("a\udcffb.tif: is empty"), RuntimeError("a\udcffb")):
        assert "a\\udcffb" in classify(error, "load").message
        classify(error, "load").message.encode()
    assert TaskError(FailureKind.INPUT, "load", "µ").message == "µ"


def test_a_step_that_fails_at_once_is_blamed_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else other settings of it would not give the movie another chance."""
    options = SimulationOptions(frames=2, height=128, width=128, particles=0, gain=False)
    path = simulate_movies(tmp_path / "movies", 1, options=options)[0].path
    chosen = settings()
    task = AssignTask(
        lease=1,
        purpose="process",
        name=path.stem,
        path=path.name,
        size=path.stat().st_size,
        mtime_ns=path.stat().st_mtime_ns,
        run=["motion", "ctf", "export"],
        wanted=wanted_by(path, chosen),
        settings=chosen.to_dict(),
        results={},
        data_directory=str(path.parent),
        processing_directory=str(tmp_path / "out"),
    )
    told: list[str] = []

    def report(step: str, fraction: float, message: str = "") -> None:
        told.append(step)

    def fail(self: ctf.Ctf, work: Work, report: Any) -> None:
        raise RuntimeError("at once")

    monkeypatch.setattr(ctf.Ctf, "run", fail)
    with pytest.raises(RuntimeError, match="at once"):
        compute(load(task, report), report)
    assert told[-1] == "ctf"


@pytest.mark.parametrize(
    ("sections", "step", "name"),
    [
        ({"picking": {"diameter": 150}, "ctf": {"enabled": False}}, "picking", "picking.diameter"),
        ({"ctf": {"range_min": 2.2, "range_max": 2}}, "ctf", "ctf.range_min"),
        ({"import": {"binning": 2}}, "ctf", "import.binning"),
        ({"motion": {"range_min": 2.25, "range_max": 1.5}}, "motion", "motion.range_min"),
        ({"import": {"skip_first": 1, "skip_last": 1}}, "load", "import.skip_first"),
    ],
)
def test_settings_that_cannot_work_with_a_movie_are_its_input_which_no_retry_changes(
    tmp_path: Path, sections: dict[str, dict[str, Any]], step: str, name: str
) -> None:
    options = SimulationOptions(frames=2, height=128, width=128, particles=0, gain=False)
    path = simulate_movies(tmp_path / "movies", 1, options=options)[0].path
    chosen = parse_settings({**sections, "import": {"pixel_size": 1.1, **sections.get("import", {})}})
    (outcome,) = process_files([path], chosen, tmp_path / "out", lambda *_: None, device="cpu")
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.step) == ("input", step)
    assert name in outcome.failure.message
