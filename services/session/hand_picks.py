"""A person's own edits of picks: what names them, and where they lie on an average of another size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol

Position = tuple[float, float]

WITHIN_DIAMETERS = 0.25
"""A pick this near to a removed position stays removed; the picker places it a little otherwise in each run."""
_WITHIN_ANGSTROM = 25.0
"""The same where no diameter is given."""
_ID_DIGITS = 12


class Edits(Protocol):
    """Positions (x, y) of an average of `width` × `height` px that were added, and removed."""

    @property
    def added(self) -> Sequence[Position]: ...

    @property
    def removed(self) -> Sequence[Position]: ...

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


def edits_id(edits: Edits) -> str:
    """A name for edits, made from what they hold; it stands in fingerprints. "" where nothing is edited."""
    if not edits.added and not edits.removed:
        return ""
    held = [list(map(list, edits.added)), list(map(list, edits.removed)), edits.width, edits.height]
    return hashlib.sha256(json.dumps(held).encode()).hexdigest()[:_ID_DIGITS]


def placed(positions: Sequence[Position], edits: Edits, width: int, height: int) -> list[Position]:
    """The positions of these edits on an average of `width` × `height` px of the same field."""
    if not positions or (width, height) == (edits.width, edits.height):
        return [(x, y) for x, y in positions]
    by_x, by_y = width / edits.width, height / edits.height
    return [((x + 0.5) * by_x - 0.5, (y + 0.5) * by_y - 0.5) for x, y in positions]


def within_px(diameter_angstrom: float | None, pixel_size_angstrom: float) -> float:
    """How near, in px of the average, a pick lies to a position that is meant for it."""
    angstrom = _WITHIN_ANGSTROM if diameter_angstrom is None else WITHIN_DIAMETERS * diameter_angstrom
    return angstrom / pixel_size_angstrom
