"""The settings of alarms: which values of the last movies are told, and after how long."""

from __future__ import annotations

from functools import partial

from pydantic import model_validator

from warpcore.services.steps.fields import Reach, Section, setting

LARGEST_WINDOW = 200

_alarm = partial(setting, reach=Reach.NOTHING)


class AlarmSettings(Section):
    """When alarms come, from the last movies; where a limit is null, that of the filter holds, if there is one."""

    window: int = _alarm(25, "how many of the last movies are looked at", ge=12, le=LARGEST_WINDOW)
    begin_below: float = _alarm(
        0.25, "an alarm comes where fewer than this share are within limits; 0: none does", ge=0, le=1
    )
    end_from: float = _alarm(0.5, "and stays until at least this share are", ge=0, le=1)
    resolution_max: float | None = _alarm(None, "highest resolution that is well", unit="Å", gt=0)
    defocus_target: float | None = _alarm(None, "defocus that is aimed at; null: none", unit="µm", ge=-20, le=20)
    defocus_tolerance: float = _alarm(0.5, "how far from `defocus_target` is well", unit="µm", ge=0, le=20)
    astigmatism_max: float | None = _alarm(0.5, "highest astigmatism that is well", unit="µm", ge=0)
    motion_max: float | None = _alarm(None, "highest mean early step that is well", unit="Å", ge=0)
    ice_ring_max: float | None = _alarm(1.0, "highest `ctf.ice_ring` that is well: crystalline ice beyond", ge=0)
    ice_thickness_max: float | None = _alarm(None, "highest `ctf.ice_thickness` that is well, in its own unit", ge=0)
    junk_max: float | None = _alarm(None, "highest share of junk that is well", unit="%", ge=0, le=100)
    particles_min: int | None = _alarm(None, "fewest particles that are well", ge=0)
    gain_residual_max: float | None = _alarm(
        0.3, "highest `input.gain_residual`, up or down, that is well: another gain, or its orientation, beyond", ge=0
    )
    counts_change: float | None = _alarm(
        0.25,
        "an alarm comes where the median of the mean counts or of the counted dose is by this share another than over "
        "the 200 movies before, and stays until it is by half as much; null: none",
        gt=0,
        le=10,
    )
    failures_in_a_row: int = _alarm(
        5, "an alarm comes where so many movies have failed one after the other, or half of the window", ge=2, le=200
    )
    no_movie_minutes: float | None = _alarm(
        10.0, "an alarm comes where no movie has come for so long, and for ten usual gaps; null: none", unit="min", gt=0
    )
    backlog_minutes: float | None = _alarm(
        10.0, "an alarm comes where movies come faster than they are done for so long; null: none", unit="min", gt=0
    )
    disk_reserve_gb: float | None = _alarm(
        10.0,
        "an alarm comes where less is left for results, or less than a tenth of a small disk; null: none",
        unit="GB",
        gt=0,
    )

    @model_validator(mode="after")
    def _hysteresis(self) -> AlarmSettings:
        if self.end_from < self.begin_below:
            raise ValueError("end_from must not be below begin_below, or an alarm would end as it comes")
        return self
