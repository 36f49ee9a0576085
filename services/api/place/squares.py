"""Squares and holes with how their movies are. Pure: from the mirror's columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from warpcore.bus.vocabulary import ENDED, MovieStatus
from warpcore.services.api.mirror.catalogue import COLUMNS
from warpcore.services.api.mirror.grouping import Group, Rows, grouped, medians
from warpcore.services.api.mirror.mirror import Copied
from warpcore.services.api.place.verdicts import EARLY_STEP, ICE, PARTICLES, RESOLUTION, Counts, Medians, verdict_of
from warpcore.services.api.views import HoleView, MediansView, SquaresView, SquareView

DEFOCUS, OFF_TARGET = "ctf.defocusUm", "place.offTargetUm"
STAGE_X, STAGE_Y = "place.stageXUm", "place.stageYUm"
_STATUS = COLUMNS["status"]
_SQUARE = (COLUMNS["place.grid"], COLUMNS["place.square"])
_HOLE = (COLUMNS["place.hole"],)
_MEASURED = tuple(
    COLUMNS[name] for name in (RESOLUTION, EARLY_STEP, ICE, PARTICLES, DEFOCUS, OFF_TARGET, STAGE_X, STAGE_Y)
)
NEEDED = frozenset(column.source for column in (*_SQUARE, *_HOLE, *_MEASURED, _STATUS))
"""Columns of the mirror that squares are made of."""


def squares_of(copied: Copied) -> SquaresView:
    """All squares in order of their ids."""
    everything = np.arange(len(copied.ids))
    session = medians(copied, _MEASURED, everything)
    groups = grouped(copied, _SQUARE, everything)
    known = [group for group in groups if group.values[1] is not None]
    return SquaresView(
        seq=copied.seq,
        squares=[_square(copied, group, session) for group in known],
        medians=_medians_view(session),
        without_square=len(everything) - sum(len(group.rows) for group in known),
    )


def _square(copied: Copied, group: Group, session: Medians) -> SquareView:
    grid, square = group.values
    holes = [
        HoleView(hole=hole.values[0], **_place(copied, hole.rows, session))
        for hole in grouped(copied, _HOLE, group.rows)
    ]
    return SquareView(grid=grid, square=square, holes=holes, **_place(copied, group.rows, session))


def _place(copied: Copied, rows: Rows, session: Medians) -> dict[str, Any]:
    """What is told of any place."""
    words, codes = copied.words[_STATUS.source], copied.codes[_STATUS.source][rows]
    done = int(np.isin(codes, [words.index(status) for status in ENDED]).sum())
    good = int((codes == words.index(MovieStatus.PROCESSED)).sum())
    here = medians(copied, _MEASURED, rows)
    failed = int((codes == words.index(MovieStatus.FAILED)).sum())
    verdict, advice = verdict_of(Counts(done, good, failed), here, session)
    return {
        "movies": len(rows),
        "done": done,
        "good": good,
        "good_share": round(good / done, 4) if done else None,
        "medians": _medians_view(here),
        "verdict": verdict,
        "advice": advice,
        "stage_x_um": here[STAGE_X],
        "stage_y_um": here[STAGE_Y],
    }


def _medians_view(found: Medians) -> MediansView:
    return MediansView(
        resolution_angstrom=found[RESOLUTION],
        early_step_angstrom=found[EARLY_STEP],
        ice_thickness=found[ICE],
        particles=found[PARTICLES],
        defocus_um=found[DEFOCUS],
        off_target_um=found[OFF_TARGET],
    )
