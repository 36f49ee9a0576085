"""What a step's result depends on, as a hash: equal hash, equal result, nothing to run."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from warpcore.services.movies.settings import Settings

STEP_VERSIONS = {"motion": 1, "ctf": 1, "picking": 1, "export": 1}
"""Raised when a step's method changes so that results of an older version should be redone."""

OFF = "off"
"""Stands for a step that is switched off."""


def wanted_fingerprints(settings: Settings, size: int, mtime_ns: int, references: str = "") -> dict[str, str]:
    """Fingerprint of each step of one movie under these settings; a step that is off has the fingerprint `off`.

    `size` (bytes) and `mtime_ns` are the movie file's identity, `references` that of gain and defect files. The chain is
    motion → ctf → picking, and export after motion and ctf, after picking too only where particles are exported: so
    switching picking on leaves averages alone. Requested options count, not what "automatic" resolved to.
    """
    return FingerprintPlan(settings, references).wanted(size, mtime_ns)


class FingerprintPlan:
    """The share of the fingerprints that all movies have in common, hashed once, so that 100 000 movies take a second.

    Two plans are equal where every movie's fingerprints are equal under both.
    """

    def __init__(self, settings: Settings, references: str = "") -> None:
        imported = settings.import_.model_dump(exclude={"data", "patterns", "recursive"})
        options = {
            "motion": {"import": imported, "motion": settings.motion.model_dump()},
            "ctf": settings.ctf.model_dump() if settings.ctf.enabled else None,
            "picking": settings.picking.model_dump() if settings.picks else None,
            "export": settings.export.model_dump(),
        }
        self._openings = {step: _opening(step, chosen) for step, chosen in options.items() if chosen is not None}
        self._references = json.dumps(references)
        self._hashers = {step: hashlib.sha256(text.encode()) for step, text in self._openings.items()}
        self._export_needs_picking = settings.export.particles
        self.off = frozenset(step for step, chosen in options.items() if chosen is None)
        """Steps that are switched off."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FingerprintPlan):
            return NotImplemented
        return self._openings == other._openings and self._references == other._references

    __hash__ = None  # type: ignore[assignment]

    def wanted(self, size: int, mtime_ns: int) -> dict[str, str]:
        """The fingerprint of each step for a movie file of this identity."""
        motion = self._finish("motion", f'"{size}", "{mtime_ns}", {self._references}')
        ctf = OFF if "ctf" in self.off else self._finish("ctf", f'"{motion}"')
        picking = OFF if "picking" in self.off else self._finish("picking", f'"{motion}", "{ctf}"')
        parents = f'"{motion}", "{ctf}", "{picking}"' if self._export_needs_picking else f'"{motion}", "{ctf}"'
        return {"motion": motion, "ctf": ctf, "picking": picking, "export": self._finish("export", parents)}

    def _finish(self, step: str, parents: str) -> str:
        hasher = self._hashers[step].copy()
        hasher.update(f"{parents}]]".encode())
        return hasher.hexdigest()[:24]


def steps_to_run(wanted: dict[str, str], stored: dict[str, str]) -> list[str]:
    """The steps whose stored fingerprint is not the wanted one, in order; a step that is off and has no result needs nothing."""
    return [step for step, want in wanted.items() if stored.get(step, OFF) != want]


def _opening(step: str, options: dict[str, Any]) -> str:
    """What is hashed, up to the parents: one JSON list `[step, version, options, [parent, …]]`."""
    return json.dumps([step, STEP_VERSIONS[step], options], sort_keys=True)[:-1] + ", ["
