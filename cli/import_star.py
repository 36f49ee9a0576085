"""`warpcore import-star`: goes on from averages that RELION's motion correction has made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.cli import options as o
from warpcore.cli.errors import CliError
from warpcore.cli.process import Resume, process_below

if TYPE_CHECKING:
    from warpcore.services.formats.star_micrographs import StarMicrograph
    from warpcore.services.session.settings import Settings
    from warpcore.services.worker.local_files import LocalFile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import-star", rich_help_panel="Without services")(import_star)


def import_star(
    star: Annotated[Path, typer.Argument(help="corrected_micrographs.star of RELION 3.1 or later.")],
    processing: o.Processing,
    project: Annotated[
        Path | None,
        typer.Option(
            help="RELION's project, from which the file names micrographs.",
            show_default="the folder above the file where the first micrograph is found",
        ),
    ] = None,
    settings: o.SettingsFile = None,
    assignments: o.Assignments = None,
    resume: Resume = False,
    device: o.Device = "auto",
    as_json: o.AsJson = False,
) -> None:
    """Fit CTFs, pick and export on RELION's corrected micrographs; motion, optics and names stay RELION's."""
    from warpcore.cli.initial_settings import settings_from
    from warpcore.cli.local_session import data_directory, plain_path
    from warpcore.services.formats.star_micrographs import read_star_micrographs
    from warpcore.services.session.errors import InputError

    try:
        micrographs = read_star_micrographs(star)
    except InputError as error:
        raise CliError(str(error)) from None
    star, processing = plain_path(star), plain_path(processing)
    root = _project(star, plain_path(project) if project else None, micrographs[0].name)
    chosen = with_star_settings(settings_from(settings, assignments or []), micrographs, root, processing)
    paths = [root / one.name for one in micrographs]
    below = data_directory(paths, None, processing)
    files = local_files(micrographs, root, below, star)
    process_below(below, files, chosen, processing, resume=resume, device=device, as_json=as_json)


def local_files(micrographs: Sequence[StarMicrograph], root: Path, data: Path, star: Path) -> list[LocalFile]:
    """The micrographs as files of the directory `data`, with what the STAR file says of each."""
    from warpcore.bus.messages import Acquisition
    from warpcore.cli.local_session import plain_path
    from warpcore.services.formats.star_micrographs import read_star_exposure
    from warpcore.services.steps.motion import MotionResult
    from warpcore.services.worker.local_files import LocalFile

    doses: dict[int, float | None] = {}
    files = []
    for one in micrographs:
        optics = one.optics
        if optics.number not in doses:  # one file of each group, since all of a group were exposed alike
            doses[optics.number] = read_star_exposure(root / one.metadata)
        told = Acquisition(
            source=str(star),
            kind="star",
            voltage_kv=optics.voltage_kv,
            cs_mm=optics.cs_mm,
            pixel_size_angstrom=optics.pixel_size_angstrom,
            exposure_dose=doses[optics.number],
            area=f"opticsGroup{optics.number}",
        )
        total, early, late = one.accumulated
        motion = MotionResult.unmeasured(
            skipped=True,
            accumulated_total_angstrom=total,
            accumulated_early_angstrom=early,
            accumulated_late_angstrom=late,
            metadata=str(root / one.metadata),
            unweighted=str(root / one.unweighted) if one.unweighted else None,
            original_pixel_size_angstrom=optics.original_pixel_size_angstrom,
            optics_group=optics.number,
            optics_group_name=optics.given_name or None,
        )
        path = plain_path(root / one.name).relative_to(data).as_posix()
        files.append(LocalFile(data, path, told, motion.to_dict()))
    return files


def with_star_settings(
    settings: Settings, micrographs: Sequence[StarMicrograph], root: Path, processing: Path
) -> Settings:
    """The settings with what holds for the whole project, where the user has not set it otherwise.

    Averages are not written again, and files are named from RELION's project where the results lie in it.
    """
    from warpcore.services.session.settings import Settings, patch_settings

    plain = Settings()
    patch: dict[str, dict[str, object]] = {"export": {"average": False, "dose_weighting": False}, "ctf": {}}
    contrasts = {one.optics.amplitude_contrast for one in micrographs}
    if settings.ctf.amplitude_contrast == plain.ctf.amplitude_contrast:
        if len(contrasts) > 1:
            told = ", ".join(f"{one:g}" for one in sorted(contrasts))
            raise CliError(f"the optics groups have amplitude contrasts of {told}; give --set ctf.amplitude_contrast")
        patch["ctf"]["amplitude_contrast"] = contrasts.pop()
    if settings.export.project_root == plain.export.project_root and processing.is_relative_to(root):
        patch["export"]["project_root"] = os.path.relpath(root, processing)
    mtfs = {one.optics.mtf for one in micrographs}
    if settings.export.mtf_path is None and len(mtfs) == 1 and (mtf := mtfs.pop()) and (root / mtf).is_file():
        patch["export"]["mtf_path"] = str(root / mtf)
    return patch_settings(settings, patch)


def _project(star: Path, given: Path | None, first: str) -> Path:
    """RELION's project. Raises CliError where the first micrograph does not lie in it."""
    tried = [given] if given is not None else list(star.parents)
    for folder in tried:
        if (folder / first).is_file():
            return folder
    where = f"in {tried[0]}" if given is not None else f"in no folder above {star}"
    raise CliError(f"{first} lies {where}; name RELION's project with --project")
