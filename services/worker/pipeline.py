"""One movie from file to staged outputs, in the three stages that the compute process overlaps: load, compute, write.

Steps that need not run again are read back from what they wrote; where that is gone, they run too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from warpcore.bus.messages import AssignTask
from warpcore.kernels.correct import Corrected, correct_movie
from warpcore.kernels.ctf import CtfFit, fit_image
from warpcore.kernels.defects import find_defects
from warpcore.kernels.motion import estimate_motion
from warpcore.kernels.motion_model import MotionModel
from warpcore.kernels.picking import Picks, pick_blobs
from warpcore.services.movies.defects import read_defects
from warpcore.services.movies.errors import InputError
from warpcore.services.movies.gain import Gain, read_gain
from warpcore.services.movies.paths import OutputPaths, inside
from warpcore.services.movies.readers import RawMovie, read_movie
from warpcore.services.movies.results import STEPS
from warpcore.services.movies.settings import Settings, parse_settings
from warpcore.services.worker import stored, summaries
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.writing import write_outputs

DEFAULT_PIXEL_SIZE = 1.35
"""Å; stands in where neither the settings nor the file's header give one (FORMATS, defaults)."""

Report = Callable[[str, float, str], None]


@dataclass
class Loaded:
    """A task with what it computes on: raw frames, or the average of an earlier run, and results of steps that do not run."""

    task: AssignTask
    settings: Settings
    paths: OutputPaths
    run: list[str]
    pixel_size: float
    movie: RawMovie | None = None
    gain: Gain | None = None
    defects: np.ndarray | None = None
    average: np.ndarray | None = None
    model: MotionModel | None = None
    ctf: CtfFit | None = None
    picks: Picks | None = None


@dataclass
class Products:
    """Everything that the steps made, in memory."""

    loaded: Loaded
    ran: list[str]
    results: dict[str, Any]
    model: MotionModel | None = None
    corrected: Corrected | None = None
    average: np.ndarray | None = None
    average_pixel_size: float = 0.0
    ctf: CtfFit | None = None
    picks: Picks | None = None
    hot_pixels: np.ndarray | None = None
    seconds: dict[str, float] = field(default_factory=dict)


def load(task: AssignTask, report: Report) -> Loaded:
    """Read what the task's steps need. Raises InputError for a movie that cannot be read."""
    report("load", 0.0, "")
    settings = parse_settings(task.settings)
    paths = OutputPaths(task.name, settings.picking.suffix)
    path = inside(Path(task.data_directory), task.path)
    processing = Path(task.processing_directory)
    _check_identity(path, task)
    run = list(task.run)
    model = stored.read_motion(inside(processing, paths.motion_json)) if "motion" not in run else None
    if "motion" not in run and model is None:
        run = _from("motion", settings)
    ctf = None
    if "ctf" not in run and settings.ctf.enabled:
        ctf = stored.read_ctf(inside(processing, paths.ctf_json))
        if ctf is None:
            run = [step for step in _from("ctf", settings) if step in run or step == "ctf"]
    loaded = Loaded(task, settings, paths, run, DEFAULT_PIXEL_SIZE, model=model, ctf=ctf)
    if "picking" not in run and settings.picks:
        loaded.picks = stored.read_picks(inside(processing, paths.coordinates))
    if not _needs_frames(loaded):
        average = stored.read_average(inside(processing, paths.average))
        if average is not None:
            loaded.average, loaded.pixel_size = average
            report("load", 1.0, "average of the earlier run")
            return loaded
    _load_frames(loaded, path)
    report("load", 1.0, "")
    return loaded


def compute(loaded: Loaded, report: Report) -> Products:
    """Run the steps on the device. `report(step, fraction, message)` may raise to cancel."""
    settings = loaded.settings
    results = {step: summary for step, summary in loaded.task.results.items() if step not in loaded.run}
    products = Products(loaded, loaded.run, results, model=loaded.model, ctf=loaded.ctf, picks=loaded.picks)
    if "motion" in loaded.run:
        with _timed(products, "motion"):
            _run_motion(loaded, products, report)
    _correct(loaded, products, report)
    if loaded.movie is not None:
        results["input"] = summaries.of_input(loaded.movie, products.average, loaded.pixel_size, settings)
    if "motion" in loaded.run:
        assert products.model is not None
        results["motion"] = summaries.of_motion(products.model, settings)
    if "ctf" in loaded.run and settings.ctf.enabled:
        with _timed(products, "ctf"):
            _run_ctf(loaded, products, report)
            results["ctf"] = summaries.of_ctf(products.ctf)
    elif not settings.ctf.enabled:
        results.pop("ctf", None)
    if "picking" in loaded.run and settings.picks:
        with _timed(products, "picking"):
            _run_picking(loaded, products, report)
            results["picking"] = summaries.of_picking(products.picks, settings, loaded.paths)
    elif not settings.picks:
        results.pop("picking", None)
    return products


def stage_outputs(products: Products, report: Report) -> Staging:
    """Write all outputs under temporary names; on any error nothing of them stays behind."""
    report("write", 0.0, "")
    staging = Staging(Path(products.loaded.task.processing_directory))
    try:
        write_outputs(products, staging)
        staging.settle()
    except BaseException:
        staging.discard()
        raise
    report("write", 1.0, "")
    return staging


# --- loading -----------------------------------------------------------------------------------------------------


def _check_identity(path: Path, task: AssignTask) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:
        raise InputError(f"{path}: the file is gone") from None
    if task.purpose == "process" and (found.st_size, found.st_mtime_ns) != (task.size, task.mtime_ns):
        raise InputError(
            f"{path}: the file has changed since it was registered; it is taken up again once it is stable"
        )


def _from(first: str, settings: Settings) -> list[str]:
    """`first` and all steps after it that are switched on."""
    on = {"motion": True, "ctf": settings.ctf.enabled, "picking": settings.picks, "export": True}
    return [step for step in STEPS[STEPS.index(first) :] if on[step]]  # type: ignore[arg-type]


def _needs_frames(loaded: Loaded) -> bool:
    """Picking and particle export start from the average on disk; everything else from the frames."""
    export = loaded.settings.export
    if "motion" in loaded.run or "ctf" in loaded.run:
        return True
    if "export" in loaded.run:
        if loaded.task.purpose == "process":
            return True
        return export.halves or export.stack
    return False


def _load_frames(loaded: Loaded, path: Path) -> None:
    imported = loaded.settings.import_
    movie = read_movie(path, imported)
    _, height, width = movie.frames.shape
    loaded.movie = movie
    loaded.pixel_size = imported.pixel_size or movie.pixel_size_angstrom or DEFAULT_PIXEL_SIZE
    loaded.gain = read_gain(imported, (height, width), path.suffix.lower() == ".eer")
    defects = read_defects(imported, (height, width))
    if loaded.gain is not None and loaded.gain.defects is not None:
        defects = loaded.gain.defects if defects is None else defects | loaded.gain.defects
    loaded.defects = defects


# --- steps -------------------------------------------------------------------------------------------------------


def _run_motion(loaded: Loaded, products: Products, report: Report) -> None:
    settings, movie = loaded.settings, loaded.movie
    assert movie is not None
    frames = len(movie.frames)
    if frames < 2 or not settings.motion.enabled:
        products.model = MotionModel.zero(frames)
        report("motion", 1.0, "one frame" if frames < 2 else "switched off")
        return
    report("motion", 0.0, "")
    products.model = estimate_motion(
        movie.frames,
        gain=_gain_array(loaded),
        defects=_all_defects(loaded, products),
        pixel_size_angstrom=loaded.pixel_size,
        dose_per_frame=settings.import_.dose_per_frame,
        range_min_angstrom=settings.motion.range_min,
        range_max_angstrom=settings.motion.range_max,
        b_factor=settings.motion.b_factor,
        grid=None if settings.motion.grid is None else tuple(settings.motion.grid),  # type: ignore[arg-type]
        on_progress=lambda fraction, message: report("motion", fraction, message),
    )
    report("motion", 1.0, "")


def _correct(loaded: Loaded, products: Products, report: Report) -> None:
    """The aligned average, from the frames or from the earlier run."""
    if loaded.movie is None:
        products.average, products.average_pixel_size = loaded.average, loaded.pixel_size
        return
    settings, model = loaded.settings, products.model
    assert model is not None
    if model.frames != len(loaded.movie.frames):
        raise InputError(
            f"{loaded.movie.path}: {len(loaded.movie.frames)} frames, the stored motion has {model.frames}"
        )
    with _timed(products, "correct"):
        products.corrected = correct_movie(
            loaded.movie.frames,
            model,
            gain=_gain_array(loaded),
            defects=_all_defects(loaded, products),
            pixel_size_angstrom=loaded.pixel_size,
            binning=settings.import_.binning,
            dose_per_frame=settings.import_.dose_per_frame,
            voltage_kv=settings.ctf.voltage,
            dose_weighting=settings.export.dose_weighting,
            halves=settings.export.halves,
            stack=settings.export.stack,
        )
    average = products.corrected.average
    products.average = average.astype(np.float16).astype(np.float32) if settings.export.float16 else average
    products.average_pixel_size = products.corrected.pixel_size_angstrom


def _run_ctf(loaded: Loaded, products: Products, report: Report) -> None:
    options = loaded.settings.ctf
    assert products.corrected is not None
    report("ctf", 0.0, "")
    products.ctf = fit_image(
        products.corrected.unweighted,
        pixel_size_angstrom=products.corrected.pixel_size_angstrom,
        voltage_kv=options.voltage,
        cs_mm=options.cs,
        amplitude_contrast=options.amplitude_contrast,
        window_px=options.window,
        range_min_angstrom=options.range_min,
        range_max_angstrom=options.range_max,
        defocus_min_um=options.defocus_min,
        defocus_max_um=options.defocus_max,
        fit_phase=options.fit_phase,
        grid=None if options.grid is None else (options.grid[0], options.grid[1]),
        dose=_total_dose(loaded),
        on_progress=lambda fraction, message: report("ctf", fraction, message),
    )
    report("ctf", 1.0, "")


def _run_picking(loaded: Loaded, products: Products, report: Report) -> None:
    options = loaded.settings.picking
    assert products.average is not None
    report("picking", 0.0, "")
    if options.diameter is None:
        raise InputError("setting picking.diameter: give the particle's diameter in Å")
    products.picks = pick_blobs(
        products.average,
        pixel_size_angstrom=products.average_pixel_size,
        diameter_angstrom=options.diameter,
        threshold=options.threshold,
        minimum_distance_angstrom=options.minimum_distance,
        contrast=options.contrast,
        ctf=summaries.ctf_parameters(products.ctf, loaded.settings),
    )
    report("picking", 1.0, f"{len(products.picks.scores)} particles")


def _gain_array(loaded: Loaded) -> np.ndarray | None:
    return None if loaded.gain is None else loaded.gain.array


def _all_defects(loaded: Loaded, products: Products) -> np.ndarray | None:
    """Known defects and those that the frames show."""
    if products.hot_pixels is None and loaded.movie is not None:
        products.hot_pixels = find_defects(loaded.movie.frames, _gain_array(loaded))
    if loaded.defects is None:
        return products.hot_pixels
    return loaded.defects if products.hot_pixels is None else loaded.defects | products.hot_pixels


def _total_dose(loaded: Loaded) -> float | None:
    if loaded.movie is None:
        return None
    return loaded.settings.import_.dose_per_frame * len(loaded.movie.frames)


class _timed:
    """Adds the time of a block to the products' seconds under a name."""

    def __init__(self, products: Products, name: str) -> None:
        self._products, self._name = products, name

    def __enter__(self) -> None:
        self._begun = time.monotonic()

    def __exit__(self, *exception: object) -> None:
        self._products.seconds[self._name] = time.monotonic() - self._begun
