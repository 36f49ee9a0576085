"""Fingerprints as warpcore 0.1 first stored them, so that sessions of that version run nothing again.

That form hashed every setting of a section. Here it is made from the settings that existed then; it is no longer
stored, and ends to count for a step once that step's version has grown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from warpcore.services.session.fingerprints import FORM, OFF, FingerprintPlan
from warpcore.services.session.settings import Settings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.fields import changed_values

_VERSIONS = {"motion": 1, "ctf": 1, "picking": 2, "export": 2}
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
_PICKING = [
    "enabled",
    "method",
    "diameter",
    "diameter_max",
    "shapes",
    "aspect",
    "minimum_distance",
    "contrast",
    "templates_path",
    "angular_step",
    "rotation_step",
    "weights_path",
    "suffix",
]
_IMAGES = [
    "average",
    "halves",
    "stack",
    "deconvolution",
    "deconvolution_strength",
    "deconvolution_falloff",
    "float16",
    "dose_weighting",
]
_BOXES = ["particles", "box_size", "particle_pixel_size", "invert", "normalize", "float16"]
_NOT_HASHED = {"import": {"data", "patterns", "recursive"}, "picking": {"threshold"}, "export": set(_BOXES)}
_KNOWN = {"import": _IMPORT, "motion": _MOTION, "ctf": _CTF, "picking": _PICKING, "export": _IMAGES}
_GRID_TIMES = range(1, 65)
"""Third numbers that `ctf.grid` may have had: it had no effect, is no longer kept, and was hashed."""


class FormerPlan:
    """Recognises fingerprints of the first form under some settings, and says what they are in today's form."""

    def __init__(self, settings: Settings, references: str, plan: FingerprintPlan) -> None:
        self._plan = plan
        grids: list[Any] = [None]
        if settings.ctf.grid is not None:
            grids = [[*settings.ctf.grid, time] for time in _GRID_TIMES]
        self._formers = [_Former(settings, references, grid) for grid in grids] if _could_be_former(settings) else []

    def translated(self, stored: Mapping[str, str], size: int, mtime_ns: int) -> dict[str, str]:
        """Stored fingerprints. Those of the first form that fit the settings, or whose costly half does, in today's."""
        old = [step for step, made in stored.items() if step in _VERSIONS and made != OFF and not made.startswith(FORM)]
        if not old:
            return dict(stored)
        wanted = self._plan.wanted(size, mtime_ns)
        best: dict[str, str] = {}
        for former in self._formers:
            fitting = dict(_fitting(old, stored, former.wanted(size, mtime_ns), wanted))
            best = max(best, fitting, key=len)
            if len(best) == len(old):
                break
        return {**stored, **best}


def _fitting(
    old: list[str], stored: Mapping[str, str], former: Mapping[str, str], wanted: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    for step in old:
        if CHAIN[step].version != _VERSIONS[step] or former[step] == OFF:
            continue
        if stored[step] == former[step]:
            yield step, wanted[step]
        elif "." in stored[step] and stored[step].split(".")[0] == former[step].split(".")[0]:
            yield step, f"{wanted[step].split('.')[0]}.{stored[step].split('.')[1]}"


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

    def __init__(self, settings: Settings, references: str, ctf_grid: list[int] | None) -> None:
        dumped = settings.to_dict()

        def values(section: str, names: list[str]) -> dict[str, Any]:
            return {name: dumped[section][name] for name in names}

        self._picks, self._boxed = settings.runs("picking"), settings.export.particles
        self._fits = settings.ctf.enabled
        options = {
            "motion": {"import": values("import", _IMPORT), "motion": values("motion", _MOTION)},
            "ctf": {**values("ctf", _CTF), "grid": ctf_grid},
            "picking": values("picking", _PICKING),
            "cut": values("picking", ["threshold"]),
            "export": values("export", _IMAGES),
            "boxes": values("export", _BOXES),
        }
        versions = {**_VERSIONS, "cut": _VERSIONS["picking"], "boxes": _VERSIONS["export"]}
        self._openings = {
            part: json.dumps([part, versions[part], chosen], sort_keys=True)[:-1] + ", ["
            for part, chosen in options.items()
        }
        ours = [one for one in references.split() if one.startswith("picking.")]
        others = [one for one in references.split() if not one.startswith("picking.")]
        self._picking_files, self._files = json.dumps(" ".join(ours)), json.dumps(" ".join(others))

    def wanted(self, size: int, mtime_ns: int) -> dict[str, str]:
        motion = self._finish("motion", f'"{size}", "{mtime_ns}", {self._files}')
        ctf = self._finish("ctf", f'"{motion}"') if self._fits else OFF
        picking = OFF
        if self._picks:
            scores = self._finish("picking", f'"{motion}", "{ctf}", {self._picking_files}')
            picking = f"{scores}.{self._finish('cut', '')[:8]}"
        images = self._finish("export", f'"{motion}", "{ctf}"')
        boxes = self._finish("boxes", f'"{picking}"')[:8] if self._boxed else OFF
        return {"motion": motion, "ctf": ctf, "picking": picking, "export": f"{images}.{boxes}"}

    def _finish(self, part: str, parents: str) -> str:
        return hashlib.sha256(f"{self._openings[part]}{parents}]]".encode()).hexdigest()[:24]
