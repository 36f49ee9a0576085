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
    imported = settings.import_.model_dump(exclude={"data", "patterns", "recursive"})
    motion = _hash("motion", {"import": imported, "motion": settings.motion.model_dump()}, size, mtime_ns, references)
    ctf = _hash("ctf", settings.ctf.model_dump(), motion) if settings.ctf.enabled else OFF
    picking = _hash("picking", settings.picking.model_dump(), motion, ctf) if settings.picks else OFF
    parents = [motion, ctf, picking] if settings.export.particles else [motion, ctf]
    export = _hash("export", settings.export.model_dump(), *parents)
    return {"motion": motion, "ctf": ctf, "picking": picking, "export": export}


def steps_to_run(wanted: dict[str, str], stored: dict[str, str]) -> list[str]:
    """The steps whose stored fingerprint is not the wanted one, in order; a step that is off and has no result needs nothing."""
    return [step for step, want in wanted.items() if stored.get(step, OFF) != want]


def _hash(step: str, options: dict[str, Any], *parents: object) -> str:
    text = json.dumps([step, STEP_VERSIONS[step], options, [str(parent) for parent in parents]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]
