"""Frames that hold no measurement of their own: found from the raw counts, and told in the movie's results."""

from __future__ import annotations

from functools import partial
from itertools import groupby

from warpcore.kernels.image import FrameCheck, check_frames, frame_levels, frame_noise
from warpcore.services.session.errors import InputError
from warpcore.services.worker.steps.work import FRAMES, ODD_FRAMES, Work

MANY = 0.25
"""Share of a movie's frames from which on the movie's results warn of them."""


def look_for_odd_frames(work: Work) -> None:
    """Find them. Raises InputError where no frame is good."""
    frames = work.take(FRAMES)
    check = check_frames(frame_levels(frames.counts), partial(frame_noise, frames.counts))
    work.put(ODD_FRAMES, check)
    if check.good_count == 0:
        count = len(check.reasons)
        raise InputError(f"{frames.movie.path}: none of its {count} frames can be used: {_in_words(odd_frames(work))}")


def odd_frames(work: Work) -> dict[str, list[int]]:
    """Numbers of odd frames by why they are odd, counted from 1 as they stand in the file."""
    first = work.take(FRAMES).movie.first_frame + 1
    found: dict[str, list[int]] = {}
    for index, reason in enumerate(work.take(ODD_FRAMES).reasons):
        if reason:
            found.setdefault(reason, []).append(first + index)
    return found


def _in_words(odd: dict[str, list[int]]) -> str:
    """`1, 14-16 blank; 8 repeated`."""
    return "; ".join(f"{_ranges(numbers)} {reason}" for reason, numbers in odd.items())


def notes(work: Work) -> list[str]:
    """One line where there are odd frames."""
    check = work.take(ODD_FRAMES)
    return [_told(work, check)] if check.good is not None else []


def warnings(work: Work) -> list[str]:
    """The same where there are many."""
    check = work.take(ODD_FRAMES)
    return [_told(work, check)] if check.good_count < (1 - MANY) * len(check.reasons) else []


def _told(work: Work, check: FrameCheck) -> str:
    count = len(check.reasons)
    return f"{count - check.good_count} of {count} frames weigh nothing: {_in_words(odd_frames(work))}"


def _ranges(numbers: list[int]) -> str:
    """Rising numbers as `1, 14-16`."""
    runs = [[number for _, number in run] for _, run in groupby(enumerate(numbers), lambda one: one[1] - one[0])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
