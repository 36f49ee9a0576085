"""Fingerprints as warpcore 0.1 first stored them, so that motion and CTF of that version stay.

That form hashed every setting of a section. Here it is made from the settings that existed then; it is no longer
stored, and no longer counts for a step whose version has grown since. Those of picking and export have, so their
fingerprints are not recognised.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from warpcore.services.session.fingerprints import FORM, OFF, FingerprintPlan
from warpcore.services.session.settings import Settings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.fields import assumed_values, changed_values

_VERSIONS = {"motion": 1, "ctf": 1}
_IMPORT = [
    "pixel_size",
    "binning",
    "gain_path",
    "gain_flip_x",
    "gain_flip_y",
    "gain_transpose",
    "defects_path",
    "dose_per_frame",
    "eer_groups",
    "eer_frames_per_group",
    "eer_dose_per_group",
    "eer_upsampling",
    "skip_first",
    "skip_last",
]
_MOTION = ["enabled", "range_min", "range_max", "b_factor", "grid", "group_frames"]
_CTF = [
    "enabled",
    "window",
    "range_min",
    "range_max",
    "defocus_min",
    "defocus_max",
    "voltage",
    "cs",
    "amplitude_contrast",
    "fit_phase",
    "use_sum",
    "grid",
]
_NOT_HASHED = {"import": {"data", "patterns", "recursive"}}
_KNOWN = {"import": _IMPORT, "motion": _MOTION, "ctf": _CTF}
_USUAL_TIMES, _MOST_TIMES = 64, 4096
"""Third numbers that `ctf.grid` may have had: it had no effect, is no longer kept, and was hashed."""
_MOST_SEARCHES = 20
"""Movies for which all of them may be tried in vain: that takes a tenth of a second each."""


class FormerPlan:
    """Recognises fingerprints of the first form under some settings, and says what they are in today's form."""

    def __init__(self, settings: Settings, references: str, plan: FingerprintPlan) -> None:
        self._plan = plan
        self._grid = settings.ctf.grid
        self._searches = 0
        self._former = _Former(settings, references) if _could_be_former(settings) else None
        self._found: list[int] = []

    def translated(self, stored: Mapping[str, str], size: int, mtime_ns: int) -> dict[str, str]:
        """The stored fingerprints, those of the first form as today's where they fit the settings."""
        old = [step for step, made in stored.items() if step in _VERSIONS and made != OFF and not made.startswith(FORM)]
        if not old:
            return dict(stored)
        if self._former is None:
            return dict(stored)
        wanted = self._plan.wanted(size, mtime_ns)
        best: dict[str, str] = {}
        for time in self._candidates():
            grid = None if self._grid is None else [*self._grid, time]
            fitting = dict(_fitting(old, stored, self._former.wanted(size, mtime_ns, grid), wanted))
            best = max(best, fitting, key=len)
            if len(best) == len(old):
                self._found = [time]
                break
            if "motion" in old and "motion" not in fitting:
                break  # what builds on it cannot fit either
        else:
            self._searches += 1
        return {**stored, **best}

    def _candidates(self) -> Iterable[int]:
        """Third numbers to try, the one that was found last first; with an automatic grid there is none."""
        if self._grid is None:
            return (0,)
        most = _USUAL_TIMES if self._searches >= _MOST_SEARCHES else _MOST_TIMES
        return dict.fromkeys((*self._found, *range(1, most + 1)))


def _fitting(
    old: list[str], stored: Mapping[str, str], former: Mapping[str, str], wanted: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for step in old:
        if CHAIN[step].version != _VERSIONS[step] or former[step] == OFF:
            continue
        if stored[step] == former[step]:
            yield step, wanted[step]


def _could_be_former(settings: Settings) -> bool:
    """Whether no setting that the first form did not know differs from its default."""
    sections = {"import": settings.import_, **settings.steps}
    return all(
        set(changed_values(section)) <= {*_KNOWN.get(name, ()), *_NOT_HASHED.get(name, ())}
        for name, section in sections.items()
        if name in _KNOWN
    )


class _Former:
    """The first form, as it was computed."""

    def __init__(self, settings: Settings, references: str) -> None:
        dumped = settings.to_dict()

        def values(section: str, names: list[str]) -> dict[str, Any]:
            assumed = assumed_values(type(settings.section(section)))  # what is null today had these values then
            return {name: assumed.get(name) if (value := dumped[section][name]) is None else value for name in names}

        self._fits = settings.ctf.enabled
        options = {
            "motion": {"import": values("import", _IMPORT), "motion": values("motion", _MOTION)},
            "ctf": values("ctf", _CTF),
        }
        self._options = options
        self._openings = {part: self._opening(part, chosen) for part, chosen in options.items()}
        self._files = json.dumps(" ".join(one for one in references.split() if not one.startswith("picking.")))

    def wanted(self, size: int, mtime_ns: int, grid: list[int] | None) -> dict[str, str]:
        self._openings["ctf"] = self._opening("ctf", {**self._options["ctf"], "grid": grid})
        motion = self._finish("motion", f'"{size}", "{mtime_ns}", {self._files}')
        ctf = self._finish("ctf", f'"{motion}"') if self._fits else OFF
        return {"motion": motion, "ctf": ctf}

    def _opening(self, part: str, chosen: dict[str, Any]) -> str:
        return json.dumps([part, _VERSIONS[part], chosen], sort_keys=True)[:-1] + ", ["

    def _finish(self, part: str, parents: str) -> str:
        return hashlib.sha256(f"{self._openings[part]}{parents}]]".encode()).hexdigest()[:24]
