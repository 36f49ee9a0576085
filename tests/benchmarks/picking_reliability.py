"""Whether a score is a probability: among picks scored p, the share that matches a label should be p."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tests.benchmarks.picking_tables import SURE, Row, verdicts
from warpcore.kernels.image import Colour, Picture, draw_dot, draw_line, draw_text, text_size

BINS = 10
_PANEL, _PAD, _TITLE, _FOOT = 300, 46, 44, 40  # px
_COLUMNS = 3
_INK: Colour = (40, 40, 40)
_PALE: Colour = (205, 205, 205)
_COLOURS: tuple[Colour, ...] = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167))
"""Told apart by colour-blind eyes too: Okabe & Ito (2008)."""


class Bin(NamedTuple):
    """Picks of a range of scores: how many, their mean score, the share that matches a label."""

    number: int
    mean_score: float
    share: float

    @property
    def deviation(self) -> float:
        """Standard deviation of the share by counting alone, of a share one pick more on either side."""
        share = (self.share * self.number + 1) / (self.number + 2)
        return math.sqrt(share * (1 - share) / (self.number + 2))


def reliability(row: Row) -> list[Bin]:
    """The bins of even width that hold picks; picks near the edge and on uncertain labels are left out."""
    scores, true = judged(row)
    at = np.minimum((scores * BINS).astype(int), BINS - 1)
    return [
        Bin(int((at == one).sum()), float(scores[at == one].mean()), float(true[at == one].mean()))
        for one in range(BINS)
        if (at == one).any()
    ]


def judged(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Scores [N] of a set's picks that count, and whether they match a label (bool)."""
    chosen = row.chosen
    radius, margin = (n / chosen.pixel_size_angstrom for n in (chosen.match_angstrom, chosen.margin_angstrom))
    scores, verdict = [], []
    for picked, micrograph in zip(row.picked, chosen.data, strict=True):
        scores.append(picked.scores)
        verdict.append(verdicts(picked.xy, micrograph, radius, margin))
    every, judgement = np.concatenate(scores), np.concatenate(verdict)
    return every[judgement >= 0], judgement[judgement >= 0] == 1


def calibration_error(row: Row) -> float:
    """Expected calibration error: mean distance of score and share over bins, weighted by number (Naeini 2015)."""
    bins = reliability(row)
    total = sum(one.number for one in bins)
    return sum(one.number * abs(one.mean_score - one.share) for one in bins) / max(total, 1)


def reliability_line(row: Row) -> str:
    """A set's and picker's bins as a line of Markdown: mean score → share (number)."""
    cells = ", ".join(f"{one.mean_score:.2f} → {one.share:.2f} ({one.number})" for one in reliability(row))
    return f"| {row.picker} | {calibration_error(row):.3f} | {cells} |"


def reliability_diagram(sets: list[list[Row]]) -> npt.NDArray[np.uint8]:
    """Picture uint8 [h, w, 3]: a panel a set, its pickers' share of true picks over their score.

    The diagonal is what a probability shows; bars are two standard deviations of counting, dots grow with the number.
    The same pickers in each set.
    """
    lines = -(-len(sets) // _COLUMNS)
    cell = _PANEL + _PAD
    picture: Picture = np.full((lines * (cell + _TITLE) + _FOOT, _COLUMNS * cell + _PAD // 2, 3), 255.0)
    for number, rows in enumerate(sets):
        top = (number // _COLUMNS) * (cell + _TITLE) + _TITLE
        _draw_panel(picture, _PAD + (number % _COLUMNS) * cell, top, rows)
    x = _PAD
    for colour, row in zip(_COLOURS, sets[0], strict=False):
        foot = len(picture) - _FOOT // 2
        draw_dot(picture, x, foot, 5, colour)
        draw_text(picture, x + 14, foot - 10, row.picker, _INK)
        x += 50 + text_size(row.picker)[0]
    return np.asarray(np.rint(picture), np.uint8)


def _draw_panel(picture: Picture, left: int, top: int, rows: list[Row]) -> None:
    """One set's panel with its lower left corner at (left, top + _PANEL), both axes from 0 to 1."""

    def at(score: float, share: float) -> tuple[float, float]:
        return left + score * _PANEL, top + (1 - share) * _PANEL

    chosen = rows[0].chosen
    draw_text(picture, left, top - 40, chosen.name, _INK)
    draw_text(picture, left, top - 17, "" if chosen.complete else "labels incomplete: shares too low", _INK, 1)
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        draw_line(picture, [at(tick, 0), at(tick, 1)], _PALE, 1)
        draw_line(picture, [at(0, tick), at(1, tick)], _PALE, 1)
        draw_text(picture, round(at(tick, 0)[0]) - 10, top + _PANEL + 5, f"{tick:g}", _INK, 1)
        draw_text(picture, left - 30, round(at(0, tick)[1]) - 6, f"{tick:g}", _INK, 1)
    draw_text(picture, left + _PANEL - 40, top + _PANEL + 20, "score", _INK, 1)
    draw_text(picture, left + 6, top + 6, "share of true picks", _INK, 1)
    draw_line(picture, [at(0, 0), at(1, 1)], _INK, 1)
    draw_line(picture, [at(SURE, 0), at(SURE, 1)], _PALE, 2)
    for colour, row in zip(_COLOURS, rows, strict=False):
        bins = reliability(row)
        if bins:
            draw_line(picture, [at(one.mean_score, one.share) for one in bins], colour, 2)
        for one in bins:
            reach = 2 * one.deviation
            draw_line(
                picture,
                [at(one.mean_score, max(0, one.share - reach)), at(one.mean_score, min(1, one.share + reach))],
                colour,
                1,
            )
            draw_dot(picture, *at(one.mean_score, one.share), 2 + math.log10(one.number), colour)
