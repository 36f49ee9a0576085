"""`warpcore picker suggest`: what diameter the particles of some movies or averages may have."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.services.session.settings import Settings

Seen = tuple[Any, float, Any]
"""An average [h, w], its pixel size in Å, and its CTF or None."""

Movies = Annotated[list[Path], typer.Argument(help="Movies, or averages (.mrc).")]
Smallest = Annotated[float, typer.Option(min=20, max=2000, help="Å.")]
Largest = Annotated[float, typer.Option(min=20, max=5000, help="Å.")]


def suggest(
    movies: Movies,
    settings: o.SettingsFile = None,
    assignments: o.Assignments = None,
    smallest: Smallest = 60.0,
    largest: Largest = 600.0,
    device: o.Device = "auto",
    as_json: o.AsJson = False,
) -> None:
    """Propose particle diameters with their evidence; nothing is picked or set."""
    from warpcore.cli.devices import use_device
    from warpcore.cli.initial_settings import settings_from
    from warpcore.services.process.logs import log_to_stderr

    chosen = settings_from(settings, assignments or [])
    log_to_stderr(level="WARNING")
    from warpcore.services.worker.devices import DeviceError

    try:
        device = use_device(device)
        seen = [one for path in movies for one in _seen(path, chosen, device)]
    except DeviceError as error:
        raise CliError(str(error)) from None
    from warpcore.kernels.picking import suggest_diameters

    try:
        proposals = suggest_diameters(
            seen, smallest_angstrom=smallest, largest_angstrom=largest, contrast=chosen.picking.contrast
        )
    except ValueError as error:
        raise CliError(f"{error}; give other movies, or other --smallest and --largest") from None
    if as_json:
        output.as_json([one._asdict() for one in proposals])
        return
    if not proposals:
        output.data("no particles stand out from noise at any diameter; try more movies")
        return
    output.data("diameter Å  shape          evidence  particles a micrograph")
    for one in proposals:
        output.data(f"{one.diameter_angstrom:10.0f}  {one.shape:13s}  {one.evidence:8.0f}  {one.particles:22.0f}")
    output.note(f"to pick with the first: warpcore settings set picking.diameter={proposals[0].diameter_angstrom:g}")


def _seen(path: Path, settings: Settings, device: str) -> Sequence[Seen]:
    """An average as it is, a movie after motion correction and CTF fit."""
    from warpcore.services.readers.mrc import parse_mrc_header, read_mrc_image

    if not path.is_file():
        raise CliError(f"{path}: no such file; give movies or averages")
    if path.suffix == ".mrc":
        header = parse_mrc_header(path)
        if header.frames == 1:
            pixel = header.pixel_size_angstrom or settings.import_.pixel_size  # the setting is that of raw pixels
            if not pixel:
                raise CliError(f"{path}: no pixel size in its header; give --set import.pixel_size=Å")
            return [(read_mrc_image(path), pixel, None)]
    return _of_movie(path, settings, device)


def _of_movie(path: Path, settings: Settings, device: str) -> Sequence[Seen]:
    import numpy as np

    from warpcore.services.readers.mrc import parse_mrc_header, read_mrc_image
    from warpcore.services.session.settings import patch_settings
    from warpcore.services.worker import stored
    from warpcore.services.worker.local import process_files
    from warpcore.services.worker.steps.ctf import parameters_of

    plain = patch_settings(settings, {"picking": {"enabled": False}, "export": {"average": True}})
    with tempfile.TemporaryDirectory(prefix="warpcore-suggest-") as name:
        folder = Path(name)
        (outcome,) = process_files([path], plain, folder, lambda *_: None, device=device)
        if outcome.failure is not None:
            raise CliError(f"{path}: {outcome.failure.message}")
        average = folder / "average" / f"{outcome.name}.mrc"
        fit = stored.read_ctf(folder / "powerspectrum" / f"{outcome.name}.json")
        ctf = None if fit is None or fit.failure else parameters_of(fit, plain)
        image = np.array(read_mrc_image(average), np.float32)
        return [(image, float(parse_mrc_header(average).pixel_size_angstrom or 1.0), ctf)]
