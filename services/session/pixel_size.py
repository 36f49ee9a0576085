"""Which pixel sizes of file headers are believed. A wrong one gives wrong results without a word, so doubt waits."""

from __future__ import annotations

from warpcore.services.steps.source import LARGEST_PIXEL_ANGSTROM, SMALLEST_PIXEL_ANGSTROM

SET_PIXEL_SIZE = "set import.pixel_size"
FINEST_HEADER_ANGSTROM, COARSEST_HEADER_ANGSTROM = 0.3, 20.0
"""What a header may say: cells that were written in nm give a tenth of the usual 0.5 to 3 Å."""
_WRITERS_DEFAULT_ANGSTROM = 1.0
_EQUAL = 1e-6


def header_doubt(angstrom: float) -> str:
    """Why a header's pixel size is not believed, "" where it is.

    MRC files have no unit and no "unknown": programs that do not know the pixel size write a cell as long as the image
    is wide (1.00 Å exactly), cells in nm, or any number.
    """
    if abs(angstrom - _WRITERS_DEFAULT_ANGSTROM) < _EQUAL:
        return "1.00 Å exactly, which writers give that do not know it"
    if not FINEST_HEADER_ANGSTROM <= angstrom <= COARSEST_HEADER_ANGSTROM:
        nm = 10 * angstrom
        perhaps = f", perhaps {nm:.4g} Å written as nm" if FINEST_HEADER_ANGSTROM <= nm <= 5 and angstrom < 0.3 else ""
        return f"{angstrom:.4g} Å, which is not that of a movie{perhaps}"
    return ""


def is_possible(angstrom: float) -> bool:
    """Whether a pixel size can be that of a movie at all."""
    return SMALLEST_PIXEL_ANGSTROM <= angstrom <= LARGEST_PIXEL_ANGSTROM


def unknown_pixel(header_angstrom: float | None) -> str:
    """Why a movie's pixel size is not known and what to do, one line; of the header, where it told one."""
    told = "" if header_angstrom is None else f" (its header says {header_doubt(header_angstrom)})"
    return f"pixel size unknown{told}: {SET_PIXEL_SIZE}"
