"""The CTF of one micrograph as plain numbers."""

from __future__ import annotations

from typing import NamedTuple

import jax

from warpcore.kernels.ctf._model import Layout, ctf_image


class CtfParameters(NamedTuple):
    """Defoci in Å (positive: underfocus), angle of U from +x towards +y in degrees, kV, mm, phase shift in degrees."""

    defocus_u_angstrom: float
    defocus_v_angstrom: float
    angle_degrees: float = 0.0
    voltage_kv: float = 300.0
    cs_mm: float = 2.7
    amplitude_contrast: float = 0.07
    phase_shift_degrees: float = 0.0

    def image(self, shape: tuple[int, int], pixel_size_angstrom: float, layout: Layout = "rfft") -> jax.Array:
        """CTF values on the transform grid of a [y, x] image of `shape`."""
        return ctf_image(shape, pixel_size_angstrom, layout=layout, **self._asdict())
