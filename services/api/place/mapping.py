"""A map of movies from the mirror's columns. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from warpcore.services.api.mirror.catalogue import COLUMNS, Kind, MovieColumn
from warpcore.services.api.mirror.grouping import Rows, grouped
from warpcore.services.api.mirror.mirror import Copied
from warpcore.services.api.place.drawing import Coloured, Label, map_png
from warpcore.services.api.place.points import positions_um, spacing_um
from warpcore.services.steps.columns import TIME_OF_DAY, Column

_SQUARE = COLUMNS["place.square"]
_HOLE = COLUMNS["place.hole"]
_STAGE = (COLUMNS["place.stageXUm"], COLUMNS["place.stageYUm"])
_SHIFT = (COLUMNS["place.beamShiftX"], COLUMNS["place.beamShiftY"])
_NO_CODE = -2
MOST_LABELS = 60
"""More texts would lie on one another."""


def needed(colour: MovieColumn) -> frozenset[str]:
    """Columns of the mirror that a map of this colour is made of."""
    return frozenset(column.source for column in (_SQUARE, _HOLE, *_STAGE, *_SHIFT, colour))


def map_of(copied: Copied, colour: MovieColumn, square: str | None, width: int, height: int) -> bytes | None:
    """The map as PNG, of all squares or of one; None where no movie there has a stage position.

    Squares have their ids beside them, on the map of one square its holes.
    """
    stage = np.stack([copied.numbers[column.source] for column in _STAGE], axis=1)
    shift = np.stack([copied.numbers[column.source] for column in _SHIFT], axis=1)
    inside = np.isfinite(stage).all(axis=1)
    if square is not None:
        words = copied.words[_SQUARE.source]
        inside &= copied.codes[_SQUARE.source] == (words.index(square) if square in words else _NO_CODE)
    rows = np.flatnonzero(inside)
    if not len(rows):
        return None
    positions = positions_um(stage, shift)
    labels = list(_labels(copied, positions, rows, _SQUARE if square is None else _HOLE))
    spacing = spacing_um(np.unique(np.rint(positions[rows] * 20), axis=0) / 20)
    coloured = _coloured(copied, colour, rows)
    return map_png(positions[rows], coloured, labels if len(labels) <= MOST_LABELS else [], spacing, width, height)


def _labels(copied: Copied, positions: np.ndarray, rows: Rows, column: MovieColumn) -> Iterator[Label]:
    for group in grouped(copied, (column,), rows):
        if group.values[0] is not None:
            mine = positions[group.rows]
            yield Label(str(group.values[0]), float(np.median(mine[:, 0])), float(mine[:, 1].max()))


def _coloured(copied: Copied, colour: MovieColumn, rows: Rows) -> Coloured:
    title = f"{colour.heading} {colour.unit}".strip()
    if colour.kind is Kind.WORD:
        return Coloured(title, codes=copied.codes[colour.source][rows], words=copied.words[colour.source])
    return Coloured(title, numbers=copied.numbers[colour.source][rows] * colour.factor, text=partial(_text, colour))


def _text(colour: MovieColumn, value: float) -> str:
    """A number as tables show it; of a time of day, without the date."""
    shown = Column("", "value", "", "", unit=colour.unit, digits=colour.digits).text({"": {"value": value}})
    return shown.partition(" ")[2] if colour.unit == TIME_OF_DAY else shown
