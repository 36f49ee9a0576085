"""What is told of a movie, as far as settings follow from it, without what differs from movie to movie."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple, Protocol


class ToldByHeader(Protocol):
    """What a file says of itself: `bus.messages.Header`."""

    @property
    def frames(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def pixel_size_angstrom(self) -> float | None: ...
    @property
    def is_eer(self) -> bool: ...


class ToldByMetadata(Protocol):
    """What the microscope says of a movie: `bus.messages.Acquisition`, of which more is told than settings need."""

    @property
    def voltage_kv(self) -> float | None: ...
    @property
    def cs_mm(self) -> float | None: ...
    @property
    def pixel_size_angstrom(self) -> float | None: ...
    @property
    def image_width_px(self) -> int | None: ...
    @property
    def image_height_px(self) -> int | None: ...
    @property
    def exposure_dose(self) -> float | None: ...
    @property
    def magnification(self) -> float | None: ...
    @property
    def gain_reference(self) -> str | None: ...


class Facts(NamedTuple):
    """What header and metadata tell; None: not told. A session has few distinct ones.

    `longest_px` is the longer side of the movie's stored frames, `image_px` that of the image that `pixel_angstrom`
    belongs to. `is_known`: the file was looked into; otherwise nobody knows what its header says. No setting follows
    from `magnification` and `gain_reference` (a file's name): they are compared.
    """

    is_known: bool = False
    is_eer: bool = False
    frames: int | None = None
    longest_px: int | None = None
    header_angstrom: float | None = None
    voltage_kv: float | None = None
    cs_mm: float | None = None
    pixel_angstrom: float | None = None
    image_px: int | None = None
    exposure_dose: float | None = None
    magnification: float | None = None
    gain_reference: str | None = None


NOTHING_TOLD = Facts()


def facts_of(header: ToldByHeader | None, acquisition: ToldByMetadata | None, *, is_eer: bool = False) -> Facts:
    """What a movie's header and metadata tell. Without a header metadata tell nothing: its size is that of no image.

    So movies that an earlier version has registered are processed as they were; `is_eer` is what their names tell.
    """
    if header is None:
        return _shared(NOTHING_TOLD._replace(is_eer=is_eer))
    told: dict[str, Any] = {
        "is_known": True,
        "is_eer": header.is_eer,
        "frames": header.frames,
        "longest_px": max(header.height, header.width),
        "header_angstrom": _positive(header.pixel_size_angstrom),
    }
    if acquisition is not None:
        sides = acquisition.image_width_px, acquisition.image_height_px
        told |= {
            "voltage_kv": _positive(acquisition.voltage_kv),
            "cs_mm": _positive(acquisition.cs_mm),
            "pixel_angstrom": _positive(acquisition.pixel_size_angstrom, digits=6),
            "image_px": max((side for side in sides if side), default=None),
            "exposure_dose": _positive(acquisition.exposure_dose, digits=4),
            "magnification": _positive(acquisition.magnification),
            "gain_reference": acquisition.gain_reference or None,
        }
    return _shared(Facts(**told))


@lru_cache(maxsize=4096)
def _shared(facts: Facts) -> Facts:
    """Equal facts as one object, which all movies share."""
    return facts


@lru_cache(maxsize=4096)
def _positive(value: float | None, digits: int = 17) -> float | None:
    """A value that can be, to so many digits: what jitters from movie to movie would make each one's plan its own."""
    if value is None or not math.isfinite(value) or value <= 0:
        return None
    return float(f"{value:.{digits}g}")
