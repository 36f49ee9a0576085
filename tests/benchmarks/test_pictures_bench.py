"""How long pictures of a large average take to render."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from warpcore.services.api.pictures.images import AverageView, Window, average_jpeg
from warpcore.services.formats.mrc_writer import write_mrc

WIDTH, HEIGHT = 5760, 4092
MOST_S = 0.1
VIEWS = {
    "whole, 1920 px wide": AverageView(Window(0, 0, WIDTH, HEIGHT, 1920, 1364)),
    "half, 1920 px wide": AverageView(Window(1000, 1000, 2880, 2046, 1920, 1364)),
    "1920 × 1080 px as they are": AverageView(Window(1000, 1000, 1920, 1080, 1920, 1080)),
    "whole, 256 px wide": AverageView(Window(0, 0, WIDTH, HEIGHT, 256, 182)),
}


@pytest.mark.bench
@pytest.mark.parametrize("float16", [False, True], ids=["float32", "float16"])
def test_a_picture_of_a_large_average_is_there_at_once(tmp_path: Path, float16: bool) -> None:
    path = tmp_path / "average.mrc"
    write_mrc(path, np.random.default_rng(1).normal(40, 6, (HEIGHT, WIDTH)), 0.8, float16)
    print()
    for name, view in VIEWS.items():
        seconds = []
        for _ in range(5):
            begun = time.perf_counter()
            picture = average_jpeg(path, view)
            seconds.append(time.perf_counter() - begun)
        print(f"{name:28}{1e3 * min(seconds):6.0f} ms{len(picture) // 1000:8} kB")
        assert min(seconds) < MOST_S
