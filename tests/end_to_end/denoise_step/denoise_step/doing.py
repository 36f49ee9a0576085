"""The same step, done."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from denoise_step import FILTERED, DenoiseResult, DenoiseSettings
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.doing import Doing
from warpcore.services.worker.steps.work import AVERAGE, Key, Report, Work

SMOOTH: Key[npt.NDArray[np.float32]] = Key("filtered average")


class Denoise(Doing):
    """Filters the average."""

    def run(self, work: Work, report: Report) -> DenoiseResult:
        """Filter, and say how much contrast is left."""
        average = work.take(AVERAGE)
        options = cast(DenoiseSettings, work.settings.section("denoise"))
        smooth = gaussian_filter(average.pixels, options.sigma / average.pixel_size_angstrom)
        work.put(SMOOTH, smooth)
        report("denoise", 1.0)
        return DenoiseResult(contrast=round(float(smooth.std() / abs(smooth.mean())), 6))

    def write(self, work: Work, staging: Staging) -> None:
        """The filtered average."""
        write_mrc(staging.place("denoise", FILTERED), work.take(SMOOTH), work.take(AVERAGE).pixel_size_angstrom)


DENOISE = Denoise()
