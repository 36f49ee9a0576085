"""A simulated EPU session: what its files tell is what the movies were made with."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import tifffile

from warpcore.cli.errors import CliError
from warpcore.cli.simulation_epu import JITTER, SPACING, EpuLayout, beam_shift, epu_layout, simulate_epu
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.services.readers.metadata.beside import metadata_beside
from warpcore.services.session.image_names import is_overview

OPTIONS = SimulationOptions(
    frames=3, height=128, width=160, voltage_kv=200.0, pixel_size_angstrom=2.2, dose_per_frame=3.0, particles=0
)


def test_the_xml_tells_what_the_movie_was_made_with_and_the_average_is_its_own(tmp_path: Path) -> None:
    made = simulate_epu(tmp_path, EpuLayout(2, 1, 1), options=OPTIONS, seed=2)
    assert len(made) == 2
    for index, movie in enumerate(made):
        told = metadata_beside(movie.path).acquisition
        assert told is not None
        assert (told.kind, told.voltage_kv, told.frames, told.image_width_px) == ("epu", 200.0, 3, 160)
        assert told.pixel_size_angstrom == pytest.approx(2.2)
        assert told.exposure_dose == pytest.approx(9.0)
        assert (told.beam_shift_x, told.beam_shift_y) == beam_shift(EpuLayout(2, 1, 1), index, 2)
        assert (told.hole, told.area) == (str(9001 + index), "1001")
        average = movie.path.with_name(movie.path.name.replace("_fractions.tif", ".mrc"))
        counts = tifffile.imread(movie.path)[:, ::-1]
        assert np.array_equal(mrcfile.read(average), counts.sum(axis=0, dtype=np.float32))
    squares = {movie.path.parent.relative_to(tmp_path).as_posix() for movie in made}
    assert squares == {"Images-Disc1/GridSquare_7001/Data", "Images-Disc1/GridSquare_7002/Data"}
    overviews = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.mrc") if path.parent.name != "Data"}
    assert len(overviews) == 1 + 2 + 2 + 1
    assert [str(path) for path in overviews if not is_overview(str(path))] == ["gain.mrc"]


def test_beam_shifts_are_a_jittered_grid_the_same_in_each_hole() -> None:
    layout = EpuLayout(2, 4, 5)
    assert layout.movies == 200
    shifts = np.array([beam_shift(layout, index, 0) for index in range(200)]).reshape(8, 25, 2)
    assert np.allclose(shifts.std(axis=0), JITTER, rtol=0.9)
    between = np.linalg.norm(shifts.mean(axis=0)[0] - shifts.mean(axis=0)[1])
    assert between == pytest.approx(SPACING, abs=3 * JITTER)


@pytest.mark.parametrize("text", ["2x4", "0x1x1", "2x4x5x6", "a", "1x1x100"])
def test_other_layouts_are_refused(text: str) -> None:
    with pytest.raises(CliError, match="2x4x5"):
        epu_layout(text)
