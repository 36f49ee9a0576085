"""The picking network measured against a user's own coordinates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from warpcore.cli.picker_data import Agreement, PickedMicrograph, agreement
from warpcore.kernels.picking import Network, pick_network


def evaluated(
    picked: Sequence[PickedMicrograph], diameter_angstrom: float, network: Network | None
) -> dict[float, Agreement]:
    """How picks at several thresholds agree with a user's particles, over all micrographs.

    A pick matches a particle within 30 % of the diameter.
    """
    totals = {round(0.1 * step, 1): np.zeros(3, int) for step in range(1, 10)}
    for one in picked:
        found = pick_network(
            one.image,
            pixel_size_angstrom=one.pixel_size_angstrom,
            diameter_angstrom=diameter_angstrom,
            threshold=min(totals),
            network=network,
        )
        xy = np.stack([found.x_px, found.y_px], axis=1)
        diameter_px = diameter_angstrom / one.pixel_size_angstrom
        for threshold, total in totals.items():
            total += agreement(
                xy[found.scores >= threshold], one.xy_px, one.image.shape, 0.3 * diameter_px, 0.5 * diameter_px
            )
    return {threshold: Agreement(*(int(n) for n in total)) for threshold, total in totals.items()}
