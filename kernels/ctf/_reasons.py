"""Why there are no rings: drift, or a defocus that was not searched. Only asked once a fit has failed."""

from __future__ import annotations

import itertools
import math

import numpy as np

from warpcore.kernels.ctf._input import Limits
from warpcore.kernels.ctf._joint import Estimate, best_candidate
from warpcore.kernels.ctf._model import Optics
from warpcore.kernels.ctf._search import Polar

NO_RINGS = "no rings"
# A drift leaves rings in a wedge across its direction. Noise and carbon reach an evidence of 20 in a wedge of 45°.
WEDGE_SECTORS = 6
WEDGE_EVIDENCE = 24.0
# A drift also takes the specimen's power along its direction: deviations of the spectrum's twofold part (noise and
# carbon reach 2.8, gold 3.7, see the benchmark), and how far one direction may stand out, since an edge in the field
# makes a streak that is far stronger.
TWOFOLD_DEVIATIONS = 4.0
STREAK = 4.0
BANDS_ANGSTROM = (30.0, 18.0, 11.0, 7.0)
# Movement within one frame, in Å, that wipes out the rings that the search looks at.
WIPED_OUT_ANGSTROM = 8.0


def reason(start: Estimate, optics: Optics, wanted: Limits, moved_in_frame_angstrom: float | None) -> str:
    """What a spectrum without believable rings shows: drift, or nothing.

    `moved_in_frame_angstrom` is the largest movement within one frame, None where it is not known.
    """
    if moved_in_frame_angstrom is not None and moved_in_frame_angstrom > WIPED_OUT_ANGSTROM:
        return f"drift: no rings; the specimen moved {moved_in_frame_angstrom:.0f} Å within one frame"
    direction = _lost_direction(start.polar, optics, wanted)
    if direction is None:
        return NO_RINGS
    return f"drift: no rings; the spectrum is wiped out along {direction:.0f}°"


def _lost_direction(polar: Polar, optics: Optics, wanted: Limits) -> float | None:
    """Direction in degrees along which a drift took rings or specimen power; None without a sign of drift."""
    # With a phase plate and few rings, astigmatism alone makes directions differ.
    if wanted.fit_phase:
        return None
    sectors = polar.mean.shape[0]
    wedges = []
    for first in range(0, sectors, 2):
        kept = np.zeros((sectors, 1), dtype=bool)
        kept[(first + np.arange(WEDGE_SECTORS)) % sectors] = True
        part = Polar(np.where(kept, polar.mean, np.float32(1)), np.where(kept, polar.number, np.float32(0)), polar.k2)
        wedges.append(best_candidate(part, optics, wanted)[1])
    best = int(np.argmax(wedges))
    opposite = wedges[(best + sectors // 4) % len(wedges)]
    if wedges[best] > WEDGE_EVIDENCE and wedges[best] > 2 * opposite:
        middle = (2 * best + WEDGE_SECTORS / 2) / sectors * 180
        return float((middle + 90) % 180)
    return _weak_direction(polar)


def _weak_direction(polar: Polar) -> float | None:
    """Direction in degrees of the weakest power, where the twofold parts of the coarse bands agree on one."""
    sectors = polar.mean.shape[0]
    twice = np.exp(2j * (np.arange(sectors) + 0.5) / sectors * np.pi)
    k = np.sqrt(polar.k2)
    total, bands = 0j, 0
    for coarse, fine in itertools.pairwise(BANDS_ANGSTROM):
        inside = (k >= 1 / coarse) & (k < 1 / fine)
        number = polar.number[:, inside].astype(np.float64)
        if number.sum() < 4 * sectors:
            continue
        values = polar.mean[:, inside].astype(np.float64)
        mean = (values * number).sum(1) / np.maximum(number.sum(1), 1)
        if mean.max() > STREAK:
            return None
        # The error of a direction's mean follows from the scatter of its rings, each a mean over `number` frequencies.
        scatter = (number * (values - mean[:, None]) ** 2).sum() / max((number > 0).sum(), 1)
        spread = math.sqrt(float(scatter / number.sum(1).mean()))
        total += 2 * (mean * twice).mean() / max(spread * math.sqrt(2 / sectors), 1e-12)
        bands += 1
    if bands == 0 or abs(total) / math.sqrt(bands) < TWOFOLD_DEVIATIONS:
        return None
    return float((math.degrees(0.5 * float(np.angle(total))) + 90) % 180)
