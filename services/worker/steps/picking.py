"""Picking: candidates are scored on the average.

The threshold chooses among them, then a person's edits hold; both anew without scoring where only they have changed.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from warpcore.kernels.picking import JunkMask, Picks, picks_overlay
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.formats.png import write_png
from warpcore.services.formats.star_files import write_coordinates
from warpcore.services.session.allowed import inside
from warpcore.services.session.hand_picks import within_px
from warpcore.services.steps import picking as step
from warpcore.services.steps.picking import PickingResult
from warpcore.services.worker import stored
from warpcore.services.worker.staging import Staging
from warpcore.services.worker.steps.ctf import ctf_parameters
from warpcore.services.worker.steps.doing import Doing
from warpcore.services.worker.steps.picking_by_hand import edited
from warpcore.services.worker.steps.picking_methods import Found, cut, given_to_pickers, junk_of, score
from warpcore.services.worker.steps.picking_own import own_templates
from warpcore.services.worker.steps.work import AVERAGE, Key, Report, Work

PICKS: Key[Picks] = Key("picks")
FOUND: Key[Found] = Key("scored candidates")
JUNK: Key[JunkMask] = Key("junk mask")

SCORE_BINS = 20
"""Of the score histogram: equal steps from 0 to 1."""


class Picking(Doing):
    """Picks particles."""

    def read_back(self, work: Work, folder: Path) -> bool:
        """The coordinates of `matching/<movie>_<suffix>.star`."""
        picks = stored.read_picks(inside(folder, work.path(step.COORDINATES)))
        if picks is not None:
            work.put(PICKS, picks)
        return picks is not None

    def take_up(self, work: Work, folder: Path) -> bool:
        """The scores of an earlier run."""
        told = work.task.results.get("picking") or {}
        percent, certainty, method = (told.get(name) for name in ("junk_percent", "certainty", "method"))
        candidates = stored.read_candidates(inside(folder, work.path(step.CANDIDATES)))
        if candidates is None or percent is None or certainty is None or method is None:
            return False
        junk = stored.read_junk(inside(folder, work.path(step.MASK)), percent)
        if junk is None:
            return False
        candidates = candidates._replace(certainty=float(certainty))
        work.put(FOUND, Found(str(method), told.get("shape"), candidates, candidates.certainty, None))
        work.put(JUNK, junk)
        return True

    def run(self, work: Work, report: Report) -> PickingResult:
        """Score where scores are not kept, cut by the threshold, then let a person's edits hold."""
        options, average = work.settings.picking, work.take(AVERAGE)
        kept = "picking" in work.cheap
        if not kept:
            junk = junk_of(average.pixels, average.pixel_size_angstrom, options)
            work.put(JUNK, junk)
            choice = work.choice(step.STEP.name)
            own = own_templates(work.processing, work.settings, choice)
            given = given_to_pickers(average.pixels, average.pixel_size_angstrom, options, junk)
            work.put(FOUND, score(given, work.settings_here.picking, ctf_parameters(work), choice, own))
        found = work.take(FOUND)
        picks, threshold = cut(found.candidates, options)
        hand = work.task.hand_picks
        if hand is not None:
            near_px = within_px(options.diameter, average.pixel_size_angstrom)
            picks = edited(picks, hand, average.pixels.shape, near_px)
        work.put(PICKS, picks)
        report("picking", 1.0, _told(found, len(picks.scores), kept))
        histogram, _ = np.histogram(found.candidates.scores, bins=SCORE_BINS, range=(0.0, 1.0))
        return PickingResult(
            method=found.method,
            shape=found.shape,
            count=len(picks.scores),
            median_score=round(float(np.median(picks.scores)), 4) if len(picks.scores) else None,
            certainty=round(found.certainty, 3),
            false_percent=round(100 * float(1 - picks.scores.mean()), 2) if len(picks.scores) else None,
            diameter_angstrom=options.diameter,
            threshold=threshold,
            suffix=options.suffix,
            coordinates=work.path(step.COORDINATES),
            score_histogram=[int(count) for count in histogram],
            junk_percent=round(float(work.take(JUNK).percent), 2),
            evidence=found.evidence,
        )

    def write(self, work: Work, staging: Staging) -> None:
        """Coordinates, the candidates they were chosen from, the junk mask (1 is junk), a picture of picks and mask."""
        picks, candidates, junk = work.take(PICKS), work.take(FOUND).candidates, work.take(JUNK)
        write_coordinates(staging.place("picking", step.COORDINATES), picks.x_px, picks.y_px, picks.scores)
        if "picking" in work.cheap:
            staging.retain("picking", step.CANDIDATES)
            staging.retain("picking", step.MASK)
        else:
            columns = zip(stored.CANDIDATE_COLUMNS, candidates[:3], strict=True)
            content = {name: column.tolist() for name, column in columns}
            content["score_histogram"] = work.results["picking"]["score_histogram"]
            path = staging.place("picking", step.CANDIDATES)
            path.write_text(json.dumps(content, separators=(",", ":"), allow_nan=False), encoding="utf-8")
            mask = junk.mask.astype(np.float32)
            write_mrc(staging.place("picking", step.MASK), mask, junk.pixel_size_angstrom)
        _write_overlay(work, staging)


PICKING = Picking()


def _told(found: Found, count: int, kept: bool) -> str:
    """What was found, for the log."""
    words = f"{count} particles"
    if kept:
        words += ", scores kept"
    return words + ("; picks uncertain" if found.certainty < step.CERTAIN else "")


def _write_overlay(work: Work, staging: Staging) -> None:
    diameter, average, picks = work.settings.picking.diameter, work.take(AVERAGE), work.take(PICKS)
    if diameter is not None:
        picture = picks_overlay(
            *(average.pixels, picks.x_px, picks.y_px, picks.scores),
            diameter_px=diameter / average.pixel_size_angstrom,
            junk=work.take(JUNK).mask,
        )
        write_png(staging.place("picking", step.OVERLAY), picture)
