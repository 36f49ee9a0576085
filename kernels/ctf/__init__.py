"""The contrast transfer function: its formula, its fit to a micrograph, and its deconvolution."""

from __future__ import annotations

from warpcore.kernels.ctf._deconvolution import deconvolve
from warpcore.kernels.ctf._fit import fit_image
from warpcore.kernels.ctf._frames import FrameSums, frame_sums
from warpcore.kernels.ctf._input import Recording, Search
from warpcore.kernels.ctf._model import Optics, electron_wavelength_angstrom, frequency_grid
from warpcore.kernels.ctf._parameters import CtfParameters
from warpcore.kernels.ctf._picture import ctf_picture
from warpcore.kernels.ctf._result import CtfFit

__all__ = [
    "CtfFit",
    "CtfParameters",
    "FrameSums",
    "Optics",
    "Recording",
    "Search",
    "ctf_picture",
    "deconvolve",
    "electron_wavelength_angstrom",
    "fit_image",
    "frame_sums",
    "frequency_grid",
]
