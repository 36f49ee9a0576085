"""`warpcore simulate --set`: values of the right kind, or one line that says what is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from warpcore.cli.errors import CliError
from warpcore.cli.simulation import SimulationOptions
from warpcore.cli.simulation_options import simulation_options


def test_named_options_change_and_others_stay() -> None:
    options = simulation_options(
        ["frames=8", "defocus_um=[1, 1.5]", "gain=false", "file_format=mrc", "dose_per_frame=2"]
    )
    assert (options.frames, options.defocus_um, options.gain) == (8, (1.0, 1.5), False)
    assert (options.file_format, options.dose_per_frame) == ("mrc", 2.0)
    assert options.width == SimulationOptions().width


def test_one_number_is_a_range_without_width() -> None:
    assert simulation_options(["defocus_um=1.2"]).defocus_um == (1.2, 1.2)


def test_a_structure_is_a_path() -> None:
    assert simulation_options(["structure=a/b.pdb"]).structure == Path("a/b.pdb")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour=1", "known names: frames"),
        ("frames", "name=value"),
        ("frames=1.5", "frames = 1.5: a whole number"),
        ("gain=1", "true or false"),
        ("defocus_um=high", "range"),
        ("file_format=eer", "tif or mrc"),
    ],
)
def test_what_cannot_be_is_told(text: str, words: str) -> None:
    with pytest.raises(CliError, match=words):
        simulation_options([text])
