"""What a task's products become on disk, by FORMATS' names; every file is written to a place that `Staging` gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from warpcore.kernels.ctf import ctf_picture, deconvolve
from warpcore.kernels.image import thumbnail
from warpcore.kernels.motion import track_picture
from warpcore.kernels.picking import extract_particles, picks_overlay
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.formats.png import write_png
from warpcore.services.formats.star_files import (
    OpticsGroup,
    ParticleCtf,
    write_coordinates,
    write_motion_star,
    write_particles,
)
from warpcore.services.formats.warp_xml import write_movie_xml
from warpcore.services.session.errors import InputError
from warpcore.services.worker import summaries
from warpcore.services.worker.products import Products
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.stored import CANDIDATE_COLUMNS
from warpcore.services.worker.xml import movie_xml

EXPORTED_IMAGES = ("average", "thumbnail", "odd", "even", "stack", "deconvolved")
"""Files of the export that do not depend on picks, by their name in its summary."""


def write_outputs(products: Products, staging: Staging) -> None:
    """Write the outputs of the steps that ran and complete the results with what the export made."""
    loaded = products.loaded
    if loaded.task.purpose != "process":
        products.results["export"] = _export(products, staging, average=False)
        return
    if "motion" in products.ran:
        _motion(products, staging)
    if "ctf" in products.ran and products.ctf is not None:
        _ctf(products, staging)
    if "picking" in products.ran and products.picks is not None:
        _picking(products, staging)
    if "export" in products.ran:
        products.results["export"] = _export(products, staging, average=True)
    # With the export, whose outputs always hold the XML; a run of earlier steps alone renews the same file.
    write_movie_xml(staging.place("export", loaded.paths.xml), movie_xml(products))


def _motion(products: Products, staging: Staging) -> None:
    loaded, model = products.loaded, products.model
    assert model is not None
    assert loaded.movie is not None
    _json(staging.place("motion", loaded.paths.motion_json), {**model.to_dict(), **_tracks(products)})
    imported, movie = loaded.settings.import_, loaded.movie
    frames, height, width = movie.frames.shape
    shifts, coefficients, residual = model.relion_polynomial(height, width, loaded.raw_pixel_size)
    products.results["motion"]["relion_worst_residual_px"] = round(float(residual), 4)
    general: dict[str, Any] = {
        "rlnImageSizeX": width,
        "rlnImageSizeY": height,
        "rlnImageSizeZ": frames,
        "rlnMicrographMovieName": str(movie.path),
        "rlnMicrographBinning": float(2**imported.binning),
        "rlnMicrographOriginalPixelSize": loaded.raw_pixel_size,
        "rlnMicrographDoseRate": loaded.dose_per_frame,
        "rlnMicrographPreExposure": loaded.pre_exposure,
        "rlnVoltage": loaded.settings.ctf.voltage,
        "rlnMicrographStartFrame": movie.first_frame + 1,
    }
    if imported.gain_path:
        general["rlnMicrographGainName"] = imported.gain_path
    if imported.defects_path:
        general["rlnMicrographDefectFile"] = imported.defects_path
    if movie.is_eer:
        general |= {"rlnEERUpsampling": imported.eer_upsampling, "rlnEERGrouping": movie.raw_frames_per_frame}
    hot = np.argwhere(products.hot_pixels)[:, ::-1] if products.hot_pixels is not None else np.zeros((0, 2))
    write_motion_star(
        staging.place("motion", loaded.paths.motion_star),
        general,
        shifts,
        None if products.results["motion"]["skipped"] else coefficients,
        hot,
        movie.first_frame + 1,
    )
    if not products.results["motion"]["skipped"] and products.corrected is not None:
        # The unweighted average, which no setting of the export changes.
        picture = track_picture(
            products.corrected.unweighted,
            model,
            field_angstrom=(height * loaded.raw_pixel_size, width * loaded.raw_pixel_size),
            dose_per_frame=loaded.dose_per_frame,
        )
        write_png(staging.place("motion", loaded.paths.motion_picture), picture)


def _tracks(products: Products) -> dict[str, Any]:
    """The tracks for people and plots: frame by frame at the centre and on 5 × 5 positions, Å."""
    model = products.model
    assert model is not None
    fractions = (np.arange(5) + 0.5) / 5
    x, y = np.meshgrid(fractions, fractions)
    return {
        "pixel_size_angstrom": products.loaded.raw_pixel_size,
        "dose_per_frame": products.loaded.dose_per_frame,
        "track_angstrom": np.round(model.global_track_angstrom(), 4).tolist(),
        "tracks_5x5_angstrom": np.round(model.displacements_angstrom(x, y), 4).tolist(),
    }


def _ctf(products: Products, staging: Staging) -> None:
    paths, fit = products.loaded.paths, products.ctf
    assert fit is not None
    _json(staging.place("ctf", paths.ctf_json), fit.to_dict())
    write_mrc(staging.place("ctf", paths.power_spectrum), fit.diagnostic, products.average_pixel_size)
    write_png(staging.place("ctf", paths.power_spectrum_picture), ctf_picture(fit.diagnostic))


def _picking(products: Products, staging: Staging) -> None:
    """Coordinates, the candidates that they were chosen from, the junk mask (1 is junk), and a picture of picks and mask."""
    loaded, picks, candidates, junk = products.loaded, products.picks, products.candidates, products.junk
    assert products.average is not None
    assert picks is not None
    assert candidates is not None
    assert junk is not None
    write_coordinates(staging.place("picking", loaded.paths.coordinates), picks.x_px, picks.y_px, picks.scores)
    if loaded.candidates is not None:
        staging.retain("picking", loaded.paths.candidates)
        staging.retain("picking", loaded.paths.mask)
    else:
        content = {name: column.tolist() for name, column in zip(CANDIDATE_COLUMNS, candidates, strict=True)}
        content["score_histogram"] = products.results["picking"]["score_histogram"]
        _json(staging.place("picking", loaded.paths.candidates), content)
        mask = junk.mask.astype(np.float32)
        write_mrc(staging.place("picking", loaded.paths.mask), mask, junk.pixel_size_angstrom)
    diameter = loaded.settings.picking.diameter
    if diameter is not None:
        picture = picks_overlay(
            *(products.average, picks.x_px, picks.y_px, picks.scores),
            diameter_px=diameter / products.average_pixel_size,
            junk=junk.mask,
        )
        write_png(staging.place("picking", loaded.paths.overlay), picture)


def _export(products: Products, staging: Staging, *, average: bool) -> dict[str, Any]:
    """The files that the export options ask for; `average`: the average and its thumbnail too (a job leaves them alone)."""
    loaded, options = products.loaded, products.loaded.settings.export
    made: dict[str, Any] = dict.fromkeys((*EXPORTED_IMAGES, "particles", "particle_count", "particles_at_edge"))
    if loaded.images_kept:
        before = loaded.task.results["export"]
        for name in EXPORTED_IMAGES:
            if before.get(name):
                staging.retain("export", before[name])
                made[name] = before[name]
    else:
        _images(products, staging, made, average=average)
    if options.particles and products.picks is not None:
        made["particles"], made["particle_count"], made["particles_at_edge"] = _particles(products, staging)
    if loaded.task.purpose != "process" and options.particles and products.picks is None:
        raise InputError(f"{loaded.task.name}: no picks to extract; switch picking on first (picking.diameter)")
    return made


def _images(products: Products, staging: Staging, made: dict[str, Any], *, average: bool) -> None:
    """What the export makes without picks; names what it made in `made`."""
    paths, options = products.loaded.paths, products.loaded.settings.export
    pixel, image = products.average_pixel_size, products.average
    assert image is not None
    if average and options.average:
        write_mrc(staging.place("export", paths.average), image, pixel, options.float16)
        made["average"] = paths.average
    if average:
        write_png(staging.place("export", paths.thumbnail), thumbnail(image))
        made["thumbnail"] = paths.thumbnail
    corrected = products.corrected
    if corrected is not None:
        extra = (("odd", paths.odd, corrected.odd), ("even", paths.even, corrected.even))
        for name, path, pixels in (*extra, ("stack", paths.stack, corrected.stack)):
            if pixels is not None:
                write_mrc(staging.place("export", path), pixels, pixel, options.float16)
                made[name] = path
    if options.deconvolution:
        made["deconvolved"] = _deconvolved(products, staging)


def _deconvolved(products: Products, staging: Staging) -> str | None:
    parameters = summaries.ctf_parameters(products.ctf, products.loaded.settings)
    if parameters is None:
        return None
    options, path = products.loaded.settings.export, products.loaded.paths.deconvolved
    assert products.average is not None
    image = deconvolve(
        products.average,
        pixel_size_angstrom=products.average_pixel_size,
        ctf=parameters,
        strength=options.deconvolution_strength,
        falloff=options.deconvolution_falloff,
    )
    write_mrc(staging.place("export", path), np.asarray(image), products.average_pixel_size, options.float16)
    return path


def _particles(products: Products, staging: Staging) -> tuple[str | None, int, int]:
    """Boxes and their STAR rows, how many, and how many picks lie too near an edge; where all do, there is no file."""
    loaded, options, picks = products.loaded, products.loaded.settings.export, products.picks
    assert products.average is not None
    assert picks is not None
    pixel = products.average_pixel_size
    target = options.particle_pixel_size or pixel
    diameter = loaded.settings.picking.diameter
    box = options.box_size or _automatic_box(diameter, target)
    stack, kept = extract_particles(
        products.average,
        picks.x_px,
        picks.y_px,
        box_px=box,
        pixel_size_angstrom=pixel,
        particle_pixel_size_angstrom=target,
        invert=options.invert,
        normalize=options.normalize,
        diameter_angstrom=diameter,
    )
    if len(stack) == 0:
        return None, 0, len(kept)
    paths = loaded.paths
    write_mrc(staging.place("export", paths.particles), stack, target, options.float16)
    x, y, scores = (np.asarray(column)[kept] for column in (picks.x_px, picks.y_px, picks.scores))
    write_particles(
        staging.place("export", paths.particles_star),
        _optics(products, target, box),
        paths.average,
        paths.particles,
        x,
        y,
        scores,
        _local_ctf(products, x, y),
    )
    return paths.particles, len(stack), int((~kept).sum())


def _automatic_box(diameter: float | None, pixel: float) -> int:
    """Half as much again as the diameter, even, at least 32 px."""
    if diameter is None:
        raise InputError("setting export.box_size: give a box in px, since no picking.diameter says how large")
    return max(32, 2 * round(0.75 * diameter / pixel))


def _optics(products: Products, particle_pixel: float, box: int) -> OpticsGroup:
    settings = products.loaded.settings
    return OpticsGroup(
        original_pixel_size_angstrom=products.loaded.raw_pixel_size,
        pixel_size_angstrom=products.average_pixel_size,
        voltage_kv=settings.ctf.voltage,
        cs_mm=settings.ctf.cs,
        amplitude_contrast=settings.ctf.amplitude_contrast,
        image_pixel_size_angstrom=particle_pixel,
        image_size_px=box,
    )


def _local_ctf(products: Products, x_px: np.ndarray, y_px: np.ndarray) -> ParticleCtf:
    """The defocus at each particle's own place, from the fit's defocus surface."""
    fit = products.ctf
    if fit is None or fit.failure is not None:
        return ParticleCtf(0.0, 0.0, 0.0)
    assert products.average is not None
    height, width = products.average.shape
    mean = (fit.defocus_u_angstrom + fit.defocus_v_angstrom) / 2
    delta = 1e4 * fit.grid.um_at(x_px / max(1, width - 1), y_px / max(1, height - 1)) - mean
    return ParticleCtf(
        defocus_u_angstrom=fit.defocus_u_angstrom + delta,
        defocus_v_angstrom=fit.defocus_v_angstrom + delta,
        defocus_angle_degrees=fit.angle_degrees,
        phase_shift_degrees=fit.phase_shift_degrees,
        figure_of_merit=fit.figure_of_merit,
        max_resolution_angstrom=fit.resolution_angstrom,
    )


def _json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, separators=(",", ":"), allow_nan=False), encoding="utf-8")
