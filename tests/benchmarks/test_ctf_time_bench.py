"""Time of a CTF fit, in seconds and in Y, the time of `scipy.fft.rfft2` of 24×2048² in float32 with 2 workers."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.fft

from tests.kernels.ctf_images import Truth, fit_truth, simulate_frames, simulate_image
from warpcore.kernels.ctf import frame_sums
from warpcore.kernels.motion import MotionModel

pytestmark = pytest.mark.bench


def best_of(times: int, run: Callable[[], Any]) -> tuple[float, float]:
    """Shortest wall and processor seconds."""
    wall, processor = [], []
    for _ in range(times):
        start, busy = time.perf_counter(), time.process_time()
        run()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - busy)
    return min(wall), min(processor)


def test_time() -> None:
    truth = Truth()
    image = simulate_image(truth, (2048, 2048))
    movie = np.random.default_rng(0).standard_normal((24, 2048, 2048), dtype=np.float32)
    yardstick, _ = best_of(5, lambda: scipy.fft.rfft2(movie, workers=2))
    for _ in range(2):
        fit_truth(image, truth, dose=40.0)
    alone, processor = best_of(10, lambda: fit_truth(image, truth, dose=40.0))
    print(
        f"\nTime for one 2048² average from the third on: {alone:.2f} s wall, {processor:.2f} s of processors, "
        f"{alone / yardstick:.2f} Y (Y = {yardstick:.2f} s; CTFFIND 5: 0.40 to 0.65 s)"
    )
    assert alone < 0.65
    assert alone <= 3 * yardstick


def test_time_of_a_movie() -> None:
    truth = Truth()
    frames = np.clip(np.rint(5 + 3 * simulate_frames(truth, (2048, 2048), 24)), 0, 255).astype(np.uint8)
    movie = frames.astype(np.float32)
    yardstick, busy = best_of(5, lambda: scipy.fft.rfft2(movie, workers=2))
    flat = np.ones((2048, 2048), np.float32)
    sums = frame_sums(
        frames,
        MotionModel.zero(24),
        gain=flat,
        defects=None,
        pixel_size_angstrom=truth.pixel_size,
        dose_per_frame=1.5,
    )
    image = movie.sum(0)
    for _ in range(2):
        fit_truth(image, truth, sums=sums, dose=36.0)
    wall, processor = best_of(10, lambda: fit_truth(image, truth, sums=sums, dose=36.0))
    print(
        "\nTime for a 24-frame 2048² movie, sum and frames, from the third on: "
        f"{wall:.2f} s wall ({wall / yardstick:.2f} Y), "
        f"{processor:.2f} s of processors ({processor / busy:.2f} of the yardstick's)"
    )
    assert processor <= 3 * busy
