"""Boxes of particles at known places between the pixels: where their rows say the particles are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import starfile

from warpcore.bus.messages import AssignTask
from warpcore.kernels.picking import Picks
from warpcore.services.session.settings import parse_settings
from warpcore.services.steps import export as step
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.particles import write_boxes
from warpcore.services.worker.steps.work import AVERAGE, EXPOSURE, Average, Exposure, Work

PIXEL_ANGSTROM = 1.35
SIGMA_PX = 5.0
PLACES = np.random.default_rng(11).uniform(0, 1, (16, 2)) + np.stack(
    np.meshgrid(np.arange(60, 420, 100), np.arange(60, 420, 100)), -1
).reshape(-1, 2)
"""Where the particles lie: x, y in px, anywhere between the pixels."""


@pytest.fixture(scope="module")
def average() -> np.ndarray:
    """Dark, round particles at `PLACES` on bright ice."""
    y, x = np.mgrid[0:440, 0:440].astype(float)
    particles = sum(np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * SIGMA_PX**2)) for cx, cy in PLACES)
    return np.asarray(20 - 3 * particles, np.float32)


def cut(
    average: np.ndarray, processing: Path, places: np.ndarray, folder: str = "", **export: Any
) -> tuple[Any, np.ndarray]:
    """The rows and the boxes that are written for picks at `places`, by a job where it has a `folder`."""
    settings = parse_settings({"picking": {"diameter": 60.0}, "export": {"particles": True, **export}})
    task = AssignTask(
        lease=1,
        purpose="job-1" if folder else "process",
        folder=folder,
        name="grid/a",
        path="grid/a.tif",
        size=1,
        mtime_ns=1,
        run=["export"],
        wanted={},
        settings=settings.to_dict(),
        results={},
        data_directory=str(processing),
        processing_directory=str(processing),
    )
    work = Work(task, settings, ["export"], {})
    work.put(AVERAGE, Average(average, PIXEL_ANGSTROM, average))
    work.put(EXPOSURE, Exposure(PIXEL_ANGSTROM, 1.0))
    staging = Staging(processing, "1", work.path)
    picks = Picks(places[:, 0], places[:, 1], np.linspace(1, 0.5, len(places)))
    write_boxes(work, picks, staging, work.path(step.AVERAGE))
    with mrcfile.open(staging.place("export", step.PARTICLES)) as file:
        boxes = np.asarray(file.data)
    return starfile.read(staging.place("export", step.PARTICLES_STAR))["particles"], boxes


def test_the_rows_of_an_export_job_name_the_boxes_in_its_own_folder(average: np.ndarray, tmp_path: Path) -> None:
    """Else they named the session's, which have another size."""
    rows, boxes = cut(average, tmp_path, PLACES, folder="particles/job-1", box_size=32)
    assert boxes.shape[1:] == (32, 32)
    assert rows["rlnImageName"][0] == "000001@particles/job-1/particles/grid/a_picks.mrcs"
    assert set(rows["rlnMicrographName"]) == {"average/grid/a.mrc"}


@pytest.mark.parametrize(
    "export",
    [
        {"box_size": 64},
        {"box_size": 64, "invert": False, "normalize": False},
        {"box_size": 40, "particle_pixel_size": 2.3},
        {"box_size": 96, "particle_pixel_size": 1.0},
    ],
    ids=["as the average", "raw", "coarser", "finer"],
)
def test_origins_put_the_particle_where_it_is_in_its_box_and_in_the_micrograph(
    average: np.ndarray, tmp_path: Path, export: dict[str, Any]
) -> None:
    """RELION's sign: a particle lies at the box's centre minus the origin (`preprocessing.cpp`, `do_recenter`)."""
    rows, boxes = cut(average, tmp_path, PLACES, **export)
    pixel = export.get("particle_pixel_size", PIXEL_ANGSTROM)
    box = export["box_size"]
    coordinates = rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float)
    origins = rows[["rlnOriginXAngst", "rlnOriginYAngst"]].to_numpy(float)
    np.testing.assert_array_equal(coordinates, np.trunc(PLACES))
    np.testing.assert_allclose(coordinates - origins / PIXEL_ANGSTROM, PLACES, atol=1e-6)  # six digits are written
    away = (np.arange(box) - box // 2) * pixel
    signal = np.abs(boxes - np.median(boxes, axis=(1, 2), keepdims=True))
    near = np.hypot(away[:, None], away[None]) < 5 * SIGMA_PX * PIXEL_ANGSTROM
    weights = np.where(near, signal, 0)
    centroid = np.stack([(weights * away[None, None]).sum((1, 2)), (weights * away[None, :, None]).sum((1, 2))], 1)
    error = centroid / weights.sum((1, 2))[:, None] + origins
    assert np.abs(error).max() < 0.001  # Å; measured 7e-5


def test_boxes_are_the_pixels_that_relion_would_cut(average: np.ndarray, tmp_path: Path) -> None:
    """`x0 = (long int)coordinate - box / 2` (`preprocessing.cpp`, extractParticlesFromOneMicrograph)."""
    places = np.array([[60.9999994, 60.9999996], [200.5, 100.0], [300.2, 199.7]])
    rows, boxes = cut(average, tmp_path, places, box_size=32, invert=False, normalize=False)
    assert rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy().tolist() == [[60, 61], [200, 100], [300, 199]]
    assert rows["rlnOriginYAngst"].tolist()[:2] == [0, 0]
    for box, x, y in zip(boxes, [60, 200, 300], [61, 100, 199], strict=True):
        np.testing.assert_allclose(box, average[y - 16 : y + 16, x - 16 : x + 16], atol=1e-4)


def test_a_box_is_left_out_where_any_of_its_pixels_would_leave_the_field(average: np.ndarray, tmp_path: Path) -> None:
    places = np.array([[16.9, 200.0], [15.9, 200.0], [424.9, 200.0], [425.0, 200.0], [200.0, 200.0]])
    rows, _ = cut(average, tmp_path, places, box_size=32)
    assert rows["rlnCoordinateX"].tolist() == [16, 424, 200]
