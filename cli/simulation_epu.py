"""An EPU session of simulated movies: folders, XML and average beside each, images of atlas, squares and holes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

import mrcfile
import numpy as np

from warpcore.cli.errors import CliError
from warpcore.cli.simulation import SimulatedMovie, simulate_movies
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.services.session.paths import write_text_whole, written_whole

SPACING = 0.02
"""Between beam shifts, in EPU's unit."""
JITTER = SPACING / 20
"""Standard deviation of a beam shift in x and in y."""

_ROTATION = np.deg2rad(12.0)
_BEGIN = datetime(2026, 1, 8, 12, 0, 0, tzinfo=UTC)
_SECONDS_APART = 6
_HOLES_APART_UM, _SQUARES_APART_UM = 12.0, 120.0

_XML = Template("""<MicroscopeImage xmlns="http://schemas.datacontract.org/2004/07/Fei.SharedObjects">
<CustomData xmlns:a="http://schemas.microsoft.com/2003/10/Serialization/Arrays">
<a:KeyValueOfstringanyType><a:Key>Dose</a:Key><a:Value>$dose</a:Value></a:KeyValueOfstringanyType>
<a:KeyValueOfstringanyType><a:Key>AppliedDefocus</a:Key><a:Value>$defocus</a:Value></a:KeyValueOfstringanyType>
</CustomData>
<SpatialScale><pixelSize><x><numericValue>$pixel</numericValue></x></pixelSize></SpatialScale>
<microscopeData>
<acquisition><acquisitionDateTime>$time</acquisitionDateTime><camera>
<CameraSpecificInput xmlns:a="http://schemas.microsoft.com/2003/10/Serialization/Arrays"><a:KeyValueOfstringanyType>
<a:Key>FractionationSettings</a:Key><a:Value><NumberOffractions>$frames</NumberOffractions></a:Value>
</a:KeyValueOfstringanyType></CameraSpecificInput>
<ReadoutArea xmlns:a="http://schemas.datacontract.org/2004/07/System.Drawing">
<a:height>$height</a:height><a:width>$width</a:width></ReadoutArea>
</camera></acquisition>
<gun><AccelerationVoltage>$voltage</AccelerationVoltage></gun>
<optics><BeamShift xmlns:a="http://schemas.datacontract.org/2004/07/Fei.Types">
<a:_x>$shift_x</a:_x><a:_y>$shift_y</a:_y></BeamShift></optics>
<stage><Position><A>0</A><X>$stage_x</X><Y>$stage_y</Y><Z>0</Z></Position></stage>
</microscopeData>
</MicroscopeImage>
""")


@dataclass(frozen=True)
class EpuLayout:
    """So many squares of so many holes, each recorded with `side` x `side` beam shifts."""

    squares: int
    holes: int
    side: int

    @property
    def movies(self) -> int:
        """How many there are."""
        return self.squares * self.holes * self.side**2

    def place(self, index: int) -> tuple[int, int, int]:
        """The square, hole and beam shift of a movie; all count from 0."""
        hole, shift = divmod(index, self.side**2)
        return *divmod(hole, self.holes), shift


def epu_layout(text: str) -> EpuLayout:
    """`2x4x5`: 2 squares of 4 holes, each with 5 x 5 beam shifts. Raises CliError."""
    match = re.fullmatch(r"([1-9]\d{0,2})x([1-9]\d{0,2})x([1-9]\d?)", text)
    if match is None:
        raise CliError(f"--epu {text}: give squares, holes of each, and the side of the beam shifts' grid: 2x4x5")
    return EpuLayout(*map(int, match.groups()))


def simulate_epu(
    folder: Path,
    layout: EpuLayout,
    *,
    options: SimulationOptions,
    seed: int = 0,
    on_movie: Callable[[int, Path], None] | None = None,
) -> list[SimulatedMovie]:
    """Write an EPU session into `folder`, hole by hole; returns its movies. Equal seeds give equal files.

    `Data_<n>` in a movie's name tells its beam shift, from 1001 on. Raises what `simulate_movies` does.
    """
    _write_overviews(folder, layout, options)

    def beside(index: int, movie: SimulatedMovie, counts: np.ndarray) -> None:
        base = movie.path.with_name(movie.path.name.removesuffix(f"_fractions{movie.path.suffix}"))
        write_text_whole(base.with_name(f"{base.name}.xml"), _xml(layout, index, movie, seed))
        _write_image(base.with_name(f"{base.name}.mrc"), counts.sum(axis=0, dtype=np.float32), options)

    def name(number: int) -> str:
        return _name(layout, number - options.first_number)

    return simulate_movies(
        folder, layout.movies, options=options, seed=seed, on_movie=on_movie, name=name, beside=beside
    )


def _name(layout: EpuLayout, index: int) -> str:
    """The path of a movie as EPU makes it, without extension."""
    square, hole, shift = layout.place(index)
    exposure = (
        f"FoilHole_{_hole_id(layout, square, hole)}_Data_{1001 + shift}_{2001 + shift}_{_time(index):%Y%m%d_%H%M%S}"
    )
    return f"{_square_folder(square)}/Data/{exposure}_fractions"


def _square_folder(square: int) -> str:
    return f"Images-Disc1/GridSquare_{7001 + square}"


def _hole_id(layout: EpuLayout, square: int, hole: int) -> int:
    return 9001 + square * layout.holes + hole


def _time(index: int) -> datetime:
    return _BEGIN + timedelta(seconds=index * _SECONDS_APART)


def beam_shift(layout: EpuLayout, index: int, seed: int) -> tuple[float, float]:
    """The beam shift of a movie, in EPU's unit: a turned square grid, jittered."""
    row, column = divmod(layout.place(index)[2], layout.side)
    x, y = (SPACING * (one - (layout.side - 1) / 2) for one in (column, row))
    jitter = np.random.default_rng([seed, 3, index]).normal(0.0, JITTER, 2)
    cos, sin = np.cos(_ROTATION), np.sin(_ROTATION)
    return float(cos * x - sin * y + jitter[0]), float(sin * x + cos * y + jitter[1])


def _xml(layout: EpuLayout, index: int, movie: SimulatedMovie, seed: int) -> str:
    square, hole, _ = layout.place(index)
    shift_x, shift_y = beam_shift(layout, index, seed)
    options, truth = movie.truth["options"], movie.truth
    defocus_um = (truth["defocus_u_angstrom"] + truth["defocus_v_angstrom"]) / 2e4
    return _XML.substitute(
        dose=options["dose_per_frame"] * options["frames"] * 1e20,
        defocus=-round(defocus_um, 1) * 1e-6,
        pixel=options["pixel_size_angstrom"] * 1e-10,
        time=f"{_time(index):%Y-%m-%dT%H:%M:%S.0000000Z}",
        frames=options["frames"],
        height=options["height"],
        width=options["width"],
        voltage=options["voltage_kv"] * 1e3,
        shift_x=shift_x,
        shift_y=shift_y,
        stage_x=square * _SQUARES_APART_UM * 1e-6,
        stage_y=hole * _HOLES_APART_UM * 1e-6,
    )


def _write_overviews(folder: Path, layout: EpuLayout, options: SimulationOptions) -> None:
    """Images of the atlas, of squares and of holes: single images, which are no movies."""
    rng = np.random.default_rng(4)
    places = ["Atlas/Atlas_1"]
    for square in range(layout.squares):
        places.append(f"{_square_folder(square)}/GridSquare_{_BEGIN:%Y%m%d_%H%M%S}")
        for hole in range(layout.holes):
            id = _hole_id(layout, square, hole)
            places.append(f"{_square_folder(square)}/FoilHoles/FoilHole_{id}_{_BEGIN:%Y%m%d_%H%M%S}")
    for place in places:
        path = folder / f"{place}.mrc"
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_image(path, rng.normal(1000.0, 30.0, (256, 256)).astype(np.float32), options)


def _write_image(path: Path, image: np.ndarray, options: SimulationOptions) -> None:
    with written_whole(path) as temporary, mrcfile.new(temporary, overwrite=True) as file:
        file.set_data(image)
        file.voxel_size = options.pixel_size_angstrom
