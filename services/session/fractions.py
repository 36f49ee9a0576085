"""How the raw frames of an EER are grouped into the frames of a movie."""

from __future__ import annotations

from dataclasses import dataclass

from warpcore.services.session.errors import InputError
from warpcore.services.steps.fields import known
from warpcore.services.steps.source import ImportSettings


@dataclass(frozen=True)
class Fractionation:
    """How raw frames become frames: `groups` of `size` raw frames; the last `unused` are too few for a group."""

    groups: int
    size: int
    unused: int


def fractionation(raw_frames: int, settings: ImportSettings) -> Fractionation:
    """Group raw frames by the first setting that is given: dose per group, frames per group, number of groups.

    With `eer_dose_per_group` (e⁻/Å²), `dose_per_frame` is the dose of one raw frame; else it is the dose of a group.
    Groups are equal, so that each has the same dose. Raw frames that remain at the end are left out, as in RELION.
    """
    if settings.eer_dose_per_group is not None:
        dose = known(settings, "dose_per_frame")
        if dose <= 0:
            raise InputError("import.eer_dose_per_group needs import.dose_per_frame, the dose of one raw EER frame")
        size = round(settings.eer_dose_per_group / dose)
    elif settings.eer_frames_per_group is not None:
        size = settings.eer_frames_per_group
    elif settings.eer_groups is not None:
        size = raw_frames // settings.eer_groups
    else:
        size = 1
    size = max(1, min(size, raw_frames))
    groups = raw_frames // size
    if (
        settings.eer_groups is not None
        and settings.eer_dose_per_group is None
        and settings.eer_frames_per_group is None
    ):
        groups = min(groups, settings.eer_groups)
    return Fractionation(groups, size, raw_frames - groups * size)
