"""`warpcore simulate --set`: values of the right kind, or one line that says what is needed."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from warpcore.cli.errors import CliError
from warpcore.cli.simulate import register
from warpcore.cli.simulation_options import SimulationOptions, simulation_options


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
        ("frames=0", "^frames = 0: a whole number from 1 to 10000 is needed$"),
        ("pixel_size_angstrom=NaN", "^pixel_size_angstrom = NaN: a number from 0.1 to 20 is needed$"),
        ("gain=1", "true or false"),
        ("defocus_um=high", "range"),
        ("defocus_um=[2, 1]", r"^defocus_um = \[2, 1\]: a range such as \[1, 2\], low end first, from -100 to 100"),
        ("astigmatism_um=[0, 11]", "from -10 to 10"),
        ("phase_shift_pi=[0, 1, 2]", "range"),
        ("file_format=eer", "tif or mrc"),
        ("structure=7", "a path"),
    ],
)
def test_what_cannot_be_is_told(text: str, words: str) -> None:
    with pytest.raises(CliError, match=words):
        simulation_options([text])


def test_several_faults_are_told_in_one_line() -> None:
    with pytest.raises(CliError) as refused:
        simulation_options(["frames=0", "width=2", "height=512"])
    assert str(refused.value) == (
        "frames = 0: a whole number from 1 to 10000 is needed; width = 2: a whole number from 64 to 16384 is needed"
    )


def test_every_option_is_described() -> None:
    assert all(info.description for info in SimulationOptions.model_fields.values())


def test_the_command_lists_its_options() -> None:
    app = typer.Typer()
    register(app)
    result = CliRunner().invoke(app, ["--options"])
    assert result.exit_code == 0
    assert "pixel_size_angstrom" in result.output
