"""One movie from file to staged outputs, in the three stages that the compute process overlaps: load, compute, write.

Steps that need not run again are read back from what they wrote; where that is gone, they run too. Two steps have a cheap half:
a new threshold is laid on kept scores, and new boxes of particles are cut out of kept images.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from warpcore.bus.messages import AssignTask
from warpcore.kernels.correct import correct_movie
from warpcore.kernels.ctf import FrameSums, Optics, Recording, Search, fit_image, frame_sums
from warpcore.kernels.image import find_defects, sum_frames
from warpcore.kernels.motion import MotionModel, estimate_motion
from warpcore.services.readers.defects import read_defects
from warpcore.services.readers.gain import read_gain
from warpcore.services.readers.movies import pixel_size_angstrom, read_movie
from warpcore.services.session.errors import InputError
from warpcore.services.session.fingerprints import same_costly_half
from warpcore.services.session.generations import Generation
from warpcore.services.session.paths import OutputPaths, inside
from warpcore.services.session.results import STEPS
from warpcore.services.session.settings import Settings, parse_settings
from warpcore.services.worker import stored, summaries
from warpcore.services.worker.gain_watch import GainWatch
from warpcore.services.worker.picking import cut, score
from warpcore.services.worker.products import Loaded, Products
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.writing import EXPORTED_IMAGES, write_outputs

log = logging.getLogger(__name__)


class Report(Protocol):
    """`report(step, fraction, message)`: how far a step is; may raise to cancel the task."""

    def __call__(self, step: str, fraction: float, message: str = "") -> None: ...


def load(task: AssignTask, report: Report) -> Loaded:
    """Read what the task's steps need. Raises InputError for a movie that cannot be read."""
    report("load", 0.0)
    settings = parse_settings(task.settings)
    paths = OutputPaths(task.name, settings.picking.suffix)
    path = inside(Path(task.data_directory), task.path)
    processing = Path(task.processing_directory)
    _check_identity(path, task)
    loaded = Loaded(task, settings, paths, list(task.run), 0.0, settings.import_.dose_per_frame)
    _read_back(loaded, processing)
    _read_candidates(loaded, processing)
    loaded.images_kept = _images_are_kept(loaded, processing)
    if settings.export.average and not _needs_frames(loaded):
        average = stored.read_average(inside(processing, paths.average))
        known = task.results.get("input")
        if average is not None and known is not None:
            # Sizes from the summary: the header of an MRC holds them in fewer digits.
            loaded.average, loaded.average_pixel_size = average, known["pixel_size_angstrom"]
            loaded.raw_pixel_size, loaded.dose_per_frame = known["raw_pixel_size_angstrom"], known["dose_per_frame"]
            report("load", 1.0, "average of the earlier run")
            return loaded
    loaded.images_kept = False
    _load_frames(loaded, path)
    report("load", 1.0)
    return loaded


def compute(loaded: Loaded, report: Report, watch: GainWatch | None = None) -> Products:
    """Run the steps on the device, in order; a step that is switched off leaves no result behind.

    `watch` looks at the raw counts beside it; nothing of what it finds goes into the products.
    """
    settings = loaded.settings
    results = {step: summary for step, summary in loaded.task.results.items() if step not in loaded.run}
    products = Products(loaded, loaded.run, results, model=loaded.model, ctf=loaded.ctf, picks=loaded.picks)
    if loaded.movie is not None:
        with _timed(products, "defects"):
            _find_defects(loaded, products, watch)
    if "motion" in loaded.run:
        with _timed(products, "motion"):
            _run_motion(loaded, products, report)
    _correct(loaded, products)
    if "ctf" in loaded.run and settings.ctf.enabled:
        with _timed(products, "ctf"):
            _run_ctf(loaded, products, report)
    elif not settings.ctf.enabled:
        results.pop("ctf", None)
    if "picking" in loaded.run and settings.picks:
        with _timed(products, "picking"):
            _run_picking(loaded, products, report)
    elif not settings.picks:
        results.pop("picking", None)
    return products


def stage_outputs(products: Products, report: Report) -> Staging:
    """Write all outputs under temporary names; on any error nothing of them stays behind."""
    report("write", 0.0)
    staging = Staging(Path(products.loaded.task.processing_directory))
    try:
        write_outputs(products, staging)
        staging.settle()
    except BaseException:
        staging.discard()
        raise
    report("write", 1.0)
    return staging


def commit(products: Products, staging: Staging) -> tuple[dict[str, list[str]], list[str]]:
    """Put the staged outputs in place: the outputs by step, and the keys of the earlier generations that are kept.

    An export job adds files and replaces nothing that belongs to a step.
    """
    task = products.loaded.task
    if task.purpose != "process":
        return staging.commit(task.name, Generation({}, {}, {}), [])
    return staging.commit(task.name, Generation(task.stored, task.results, task.outputs), products.ran)


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


def _read_back(loaded: Loaded, processing: Path) -> None:
    """Fill in the results of steps that do not run; where one is gone, it and those after it are added to the run."""
    paths, settings = loaded.paths, loaded.settings
    if "motion" not in loaded.run:
        loaded.model = stored.read_motion(inside(processing, paths.motion_json))
        if loaded.model is None:
            loaded.run = _from("motion", settings)
    if "ctf" not in loaded.run and settings.ctf.enabled:
        loaded.ctf = stored.read_ctf(inside(processing, paths.ctf_json))
        if loaded.ctf is None:
            loaded.run = _from("ctf", settings)
    if "picking" not in loaded.run and settings.picks:
        loaded.picks = stored.read_picks(inside(processing, paths.coordinates))
        if loaded.picks is None:
            loaded.run = [step for step in STEPS if step in loaded.run or step == "picking"]


def _read_candidates(loaded: Loaded, processing: Path) -> None:
    """Take up the scores of an earlier run where only the threshold has changed since."""
    task, paths = loaded.task, loaded.paths
    if not ({"picking"} <= set(loaded.run) <= {"picking", "export"} and task.purpose == "process"):
        return
    if not same_costly_half("picking", task.wanted, task.stored):
        return
    percent = (task.results.get("picking") or {}).get("junk_percent")
    candidates = stored.read_candidates(inside(processing, paths.candidates))
    if candidates is not None and percent is not None:
        loaded.junk = stored.read_junk(inside(processing, paths.mask), percent)
        loaded.candidates = candidates if loaded.junk is not None else None


def _images_are_kept(loaded: Loaded, processing: Path) -> bool:
    """Whether the export has nothing to do but particles' boxes: the images of an earlier run are as wanted, and all there."""
    task = loaded.task
    if "export" not in loaded.run or task.purpose != "process" or {"motion", "ctf"} & set(loaded.run):
        return False
    if not same_costly_half("export", task.wanted, task.stored):
        return False
    made = task.results.get("export") or {}
    return all(inside(processing, made[name]).is_file() for name in EXPORTED_IMAGES if made.get(name))


def _from(first: str, settings: Settings) -> list[str]:
    """`first` and all steps after it that are switched on."""
    on = {"motion": True, "ctf": settings.ctf.enabled, "picking": settings.picks, "export": True}
    names = [str(step) for step in STEPS]
    return [step for step in names[names.index(first) :] if on[step]]


def _needs_frames(loaded: Loaded) -> bool:
    """Picking and particle export start from the average on disk; everything else from the frames."""
    if "motion" in loaded.run or "ctf" in loaded.run:
        return True
    if "export" not in loaded.run or loaded.images_kept:
        return False
    export = loaded.settings.export
    return loaded.task.purpose == "process" or export.halves or export.stack


def _load_frames(loaded: Loaded, path: Path) -> None:
    imported = loaded.settings.import_
    movie = read_movie(path, imported)
    _, height, width = movie.frames.shape
    loaded.movie = movie
    loaded.raw_pixel_size = pixel_size_angstrom(movie, imported)
    loaded.dose_per_frame = imported.dose_per_frame * movie.dose_factor
    loaded.pre_exposure = loaded.dose_per_frame * movie.first_frame
    try:
        loaded.gain = read_gain(imported, (height, width), movie.is_eer)
        loaded.defects = read_defects(imported, (height, width))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if loaded.gain is not None:
        without_gain = loaded.gain.defects
        loaded.defects = without_gain if loaded.defects is None else loaded.defects | without_gain


# --- steps -------------------------------------------------------------------------------------------------------


def _run_motion(loaded: Loaded, products: Products, report: Report) -> None:
    options, movie = loaded.settings.motion, loaded.movie
    assert movie is not None
    frames = len(movie.frames)
    report("motion", 0.0)
    if frames < 2 or not options.enabled:
        products.model = MotionModel.zero(frames)
        report("motion", 1.0, "skipped: one frame" if frames < 2 else "switched off")
    else:
        products.model = estimate_motion(
            movie.frames,
            gain=_gain(loaded),
            defects=products.hot_pixels,
            pixel_size_angstrom=loaded.raw_pixel_size,
            dose_per_frame=loaded.dose_per_frame,
            range_min_angstrom=options.range_min,
            range_max_angstrom=options.range_max,
            b_factor=options.b_factor,
            grid=None if options.grid is None else (options.grid[0], options.grid[1], options.grid[2]),
            group_frames=options.group_frames,
            on_progress=lambda fraction, message: report("motion", fraction, message),
        )
        report("motion", 1.0)
    products.results["motion"] = summaries.of_motion(products.model, options.enabled, loaded.dose_per_frame)


def _correct(loaded: Loaded, products: Products) -> None:
    """The aligned average, from the frames or from the earlier run; as it stands on disk, so that later runs see the same."""
    movie, model, settings = loaded.movie, products.model, loaded.settings
    if movie is None:
        products.average, products.average_pixel_size = loaded.average, loaded.average_pixel_size
        return
    assert model is not None
    if model.frames != len(movie.frames):
        raise InputError(f"{movie.path}: {len(movie.frames)} frames, but the stored motion has {model.frames}")
    with _timed(products, "correct"):
        products.corrected = correct_movie(
            movie.frames,
            model,
            gain=_gain(loaded),
            defects=products.hot_pixels,
            pixel_size_angstrom=loaded.raw_pixel_size,
            binning=settings.import_.binning,
            dose_per_frame=loaded.dose_per_frame,
            voltage_kv=settings.ctf.voltage,
            dose_weighting=settings.export.dose_weighting,
            pre_exposure=loaded.pre_exposure,
            halves=settings.export.halves,
            stack=settings.export.stack,
        )
    average = products.corrected.average
    if settings.export.float16:
        average = average.astype(np.float16).astype(np.float32)
    products.average, products.average_pixel_size = average, products.corrected.pixel_size_angstrom
    products.results["input"] = summaries.of_input(
        movie, average, loaded.raw_pixel_size, products.average_pixel_size, loaded.dose_per_frame
    )


def _run_ctf(loaded: Loaded, products: Products, report: Report) -> None:
    options = loaded.settings.ctf
    assert products.corrected is not None
    assert loaded.movie is not None
    report("ctf", 0.0)
    products.ctf = fit_image(
        products.corrected.unweighted,
        Recording(
            products.average_pixel_size,
            dose=loaded.dose_per_frame * len(loaded.movie.frames),
            moved_in_frame_angstrom=_largest_step(products),
        ),
        Optics(options.voltage, options.cs, options.amplitude_contrast),
        Search(
            range_min_angstrom=options.range_min,
            range_max_angstrom=options.range_max,
            defocus_min_um=options.defocus_min,
            defocus_max_um=options.defocus_max,
            fit_phase=options.fit_phase,
            window_px=options.window,
            grid=None if options.grid is None else (options.grid[0], options.grid[1]),
        ),
        sums=None if options.use_sum else _frame_sums(loaded, products),
        on_progress=lambda fraction: report("ctf", fraction),
    )
    report("ctf", 1.0, products.ctf.failure or "")
    products.results["ctf"] = summaries.of_ctf(products.ctf)


def _frame_sums(loaded: Loaded, products: Products) -> FrameSums | None:
    """What is averaged as spectra: sums of few frames, each aligned where motion was measured."""
    movie = loaded.movie
    assert movie is not None
    if len(movie.frames) < 2:
        return None
    return frame_sums(
        movie.frames,
        products.model if loaded.settings.motion.enabled else None,
        gain=_gain(loaded),
        defects=products.hot_pixels,
        pixel_size_angstrom=loaded.raw_pixel_size,
        dose_per_frame=loaded.dose_per_frame,
    )


def _largest_step(products: Products) -> float | None:
    """Largest movement from one frame to the next in Å, where motion was measured: about what a frame is blurred by."""
    if products.model is None or products.results["motion"]["skipped"]:
        return None
    steps = np.diff(products.model.global_track_angstrom(), axis=0)
    return float(np.hypot(steps[:, 0], steps[:, 1]).max())


def _run_picking(loaded: Loaded, products: Products, report: Report) -> None:
    options = loaded.settings.picking
    assert products.average is not None
    report("picking", 0.0)
    if loaded.candidates is not None:
        products.candidates, products.junk = loaded.candidates, loaded.junk
    else:
        ctf = summaries.ctf_parameters(products.ctf, loaded.settings)
        products.candidates, products.junk = score(products.average, products.average_pixel_size, options, ctf)
    assert products.junk is not None
    products.picks = cut(products.candidates, options.threshold)
    found = f"{len(products.picks.scores)} particles"
    report("picking", 1.0, found if loaded.candidates is None else f"{found} at the new threshold, scores kept")
    products.results["picking"] = summaries.of_picking(
        products.picks, products.candidates, products.junk, loaded.settings, loaded.paths
    )


def _gain(loaded: Loaded) -> npt.NDArray[np.float32] | None:
    return None if loaded.gain is None else loaded.gain.multiplier


def _find_defects(loaded: Loaded, products: Products, watch: GainWatch | None) -> None:
    """Known defects and those that the frames show; the sums that show them also show whether the gain fits."""
    assert loaded.movie is not None
    sums = sum_frames(loaded.movie.frames)
    found = find_defects(loaded.movie.frames, _gain(loaded), sums)
    products.hot_pixels = found if loaded.defects is None else found | loaded.defects
    if watch is not None and watch.see(loaded.gain, loaded.settings.import_, loaded.movie.is_eer, lambda: sums.total):
        for warning in watch.warnings:
            log.warning("%s", warning)


@contextmanager
def _timed(products: Products, name: str) -> Iterator[None]:
    begun = time.monotonic()
    yield
    products.seconds[name] = time.monotonic() - begun
