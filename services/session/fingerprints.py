"""What a step's result depends on, as a hash: equal hash, equal result, nothing to run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from warpcore.services.session.settings import Settings

STEP_VERSIONS = {"motion": 1, "ctf": 1, "picking": 2, "export": 2}
"""Raised when a step's method changes so that results of an older version should be redone."""

OFF = "off"
"""Stands for a step that is switched off."""

_CUT = ("threshold",)
"""Options of picking that choose among scored candidates: they do not touch the scores."""
_BOXES = ("particles", "box_size", "particle_pixel_size", "invert", "normalize", "float16")
"""Options of the export that particles' boxes depend on."""
_BOXES_ALONE = frozenset(_BOXES) - {"float16"}
"""Those of them that no other image depends on."""


def wanted_fingerprints(settings: Settings, size: int, mtime_ns: int, references: str = "") -> dict[str, str]:
    """Fingerprint of each step of one movie under these settings; a step that is off has the fingerprint `off`.

    `size` (bytes) and `mtime_ns` are the movie file's identity, `references` that of the files that settings name (by setting,
    those of `picking.` touch picking alone). The chain is motion → ctf → picking, and export after motion and ctf, after
    picking too only where particles are exported: so switching picking on leaves averages alone. Requested options count, not
    what "automatic" resolved to. Picking and export have two halves, `costly.cheap`, see `same_costly_half`.
    """
    return FingerprintPlan(settings, references).wanted(size, mtime_ns)


class FingerprintPlan:
    """The share of the fingerprints that all movies have in common, hashed once, so that 100 000 movies take a second.

    Two plans are equal where every movie's fingerprints are equal under both.
    """

    def __init__(self, settings: Settings, references: str = "") -> None:
        imported = settings.import_.model_dump(exclude={"data", "patterns", "recursive"})
        picking, export = settings.picking.model_dump(), settings.export.model_dump()
        of_picking = " ".join(one for one in references.split() if one.startswith("picking."))
        options: dict[str, dict[str, Any] | None] = {
            "motion": {"import": imported, "motion": settings.motion.model_dump()},
            "ctf": settings.ctf.model_dump() if settings.ctf.enabled else None,
            "picking": {name: value for name, value in picking.items() if name not in _CUT} if settings.picks else None,
            "cut": {name: picking[name] for name in _CUT},
            "export": {name: value for name, value in export.items() if name not in _BOXES_ALONE},
            "boxes": {name: export[name] for name in _BOXES} if settings.export.particles else None,
        }
        self._openings = {part: _opening(part, chosen) for part, chosen in options.items() if chosen is not None}
        self._picking_references = json.dumps(of_picking) if settings.picks else '""'
        self._references = json.dumps(" ".join(one for one in references.split() if not one.startswith("picking.")))
        self._hashers = {part: hashlib.sha256(text.encode()) for part, text in self._openings.items()}
        self.off = frozenset(step for step in STEP_VERSIONS if options[step] is None)
        """Steps that are switched off."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FingerprintPlan):
            return NotImplemented
        return (
            self._openings == other._openings
            and self._references == other._references
            and self._picking_references == other._picking_references
        )

    __hash__ = None  # type: ignore[assignment]

    def wanted(self, size: int, mtime_ns: int) -> dict[str, str]:
        """The fingerprint of each step for a movie file of this identity."""
        motion = self._finish("motion", f'"{size}", "{mtime_ns}", {self._references}')
        ctf = OFF if "ctf" in self.off else self._finish("ctf", f'"{motion}"')
        picking = OFF
        if "picking" not in self.off:
            scores = self._finish("picking", f'"{motion}", "{ctf}", {self._picking_references}')
            picking = f"{scores}.{self._finish('cut', '')[:8]}"
        images = self._finish("export", f'"{motion}", "{ctf}"')
        boxes = self._finish("boxes", f'"{picking}"')[:8] if "boxes" in self._hashers else OFF
        return {"motion": motion, "ctf": ctf, "picking": picking, "export": f"{images}.{boxes}"}

    def _finish(self, part: str, parents: str) -> str:
        hasher = self._hashers[part].copy()
        hasher.update(f"{parents}]]".encode())
        return hasher.hexdigest()[:24]


def followers(steps: Iterable[str], settings: Settings) -> list[str]:
    """The steps that build on any of these under the settings, directly or not, in order; without these themselves."""
    parents = {"ctf": {"motion"}, "picking": {"motion", "ctf"}, "export": {"motion", "ctf"}}
    if settings.export.particles:
        parents["export"].add("picking")
    first = set(steps)
    found = set(first)
    for step in STEP_VERSIONS:
        if found & parents.get(step, set()):
            found.add(step)
    return [step for step in STEP_VERSIONS if step in found - first]


def steps_to_run(wanted: dict[str, str], stored: dict[str, str]) -> list[str]:
    """The steps whose stored fingerprint is not the wanted one, in order; a step that is off and has no result needs nothing."""
    return [step for step, want in wanted.items() if stored.get(step, OFF) != want]


def same_costly_half(step: str, wanted: dict[str, str], stored: dict[str, str]) -> bool:
    """Whether the stored result's costly half is as wanted: the scores of all candidates (picking; only the threshold, or
    nothing, differs), or the images (export; only particles' boxes, or nothing, differ)."""
    return step in stored and stored[step].split(".")[0] == wanted[step].split(".")[0] != OFF


def _opening(part: str, options: dict[str, Any]) -> str:
    """What is hashed, up to the parents: one JSON list `[part, version, options, [parent, …]]`."""
    version = STEP_VERSIONS[{"cut": "picking", "boxes": "export"}.get(part, part)]
    return json.dumps([part, version, options], sort_keys=True)[:-1] + ", ["
