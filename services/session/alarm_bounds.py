"""Which values of a movie are well, for alarms: the limits of the alarms themselves, and those of the filter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from warpcore.services.session.alarm_settings import AlarmSettings
from warpcore.services.session.filtering import limits_by_column
from warpcore.services.session.settings import Settings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Column

Ends = tuple[float | None, float | None]
"""The lowest and the highest value that is well; None: any."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """The lowest and the highest value of a column that are well; None: any."""

    column: Column
    low: float | None
    high: float | None

    def hold(self, results: Mapping[str, Any]) -> bool | None:
        """Whether a movie's value is well; None where it was not measured and its step has not failed."""
        value = self.column.value(results)
        if value is None:
            failed = self.column.failed and (results.get(self.column.step) or {}).get("failure")
            return False if failed else None
        return not (self.low is not None and value < self.low) and not (self.high is not None and value > self.high)

    @property
    def in_words(self) -> str:
        """`at most 5 Å`."""
        ends = [f"{word} {end:g}" for word, end in (("at least", self.low), ("at most", self.high)) if end is not None]
        return f"{' and '.join(ends)} {self.column.unit}".strip()


def alarm_bounds(settings: Settings) -> list[Bounds]:
    """All columns with limits. Where both have one, that of the alarms counts."""
    own, filtered = _own(settings.alarms), limits_by_column(settings.filter)
    found = []
    for name in dict.fromkeys((*filtered, *own)):
        low, high = own.get(name, (None, None))
        filter_low, filter_high = filtered.get(name, (None, None))
        low, high = (filter_low if low is None else low), (filter_high if high is None else high)
        if low is not None or high is not None:
            found.append(Bounds(CHAIN.column[name], low, high))
    return found


def _own(alarms: AlarmSettings) -> dict[str, Ends]:
    target, tolerance, residual = alarms.defocus_target, alarms.defocus_tolerance, alarms.gain_residual_max
    return {
        "ctf.resolution_angstrom": (None, alarms.resolution_max),
        "ctf.defocus_um": (None, None) if target is None else (target - tolerance, target + tolerance),
        "ctf.defocus_delta_um": (None, alarms.astigmatism_max),
        "motion.mean_frame_movement_angstrom": (None, alarms.motion_max),
        "ctf.ice_ring": (None, alarms.ice_ring_max),
        "ctf.ice_thickness": (None, alarms.ice_thickness_max),
        "picking.junk_percent": (None, alarms.junk_max),
        "picking.count": (alarms.particles_min, None),
        "input.gain_residual": (None, None) if residual is None else (-residual, residual),
    }
