"""Outputs of earlier settings, kept so that going back to those settings runs nothing.

Before a task replaces a movie's outputs, the old ones are hard-linked into `.warpcore/kept/<root>.kept/<key>/`, with a
manifest that says what they are. Unchanged files share their disk space. The newest few generations of each movie stay.
How they are kept and put back is decided in `session/placing.py`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from warpcore.services.session.allowed import is_output
from warpcore.services.steps.step import apart

KEPT_GENERATIONS = 3
_FOLDER = ".warpcore/kept"
_MANIFEST = "generation.json"


@dataclass(frozen=True)
class Generation:
    """One complete set of a movie's results, by step: fingerprints, summaries, output files (relative paths)."""

    fingerprints: dict[str, str] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Names the settings that the generation was made with."""
        return generation_key(self.fingerprints)

    @property
    def files(self) -> list[str]:
        """All files, each once."""
        return sorted({path for paths in self.outputs.values() for path in paths})


def generation_key(fingerprints: dict[str, str]) -> str:
    """A name for a set of fingerprints: 16 hexadecimal digits."""
    return hashlib.sha256(json.dumps(fingerprints, sort_keys=True).encode()).hexdigest()[:16]


def kept_home(root: str) -> str:
    """Where a movie's generations are kept, relative to the processing directory; no other movie's lie there."""
    return f"{_FOLDER}/{apart(root)}.kept"


def kept_folder(root: str, key: str) -> str:
    """Where one generation of a movie is kept: its files are numbered in the order of `Generation.files`."""
    return f"{kept_home(root)}/{key}"


def manifest_path(root: str, key: str) -> str:
    """The file that says what a kept generation is; it is written last, so without it the folder is not whole."""
    return f"{kept_folder(root, key)}/{_MANIFEST}"


def manifest_of(generation: Generation) -> str:
    """The text of the manifest."""
    return json.dumps(
        {"fingerprints": generation.fingerprints, "results": generation.results, "outputs": generation.outputs}
    )


def generation_from(manifest: str) -> Generation | None:
    """The generation of a manifest; None for one that somebody has changed into no such thing."""
    try:
        raw = json.loads(manifest)
        generation = Generation(raw["fingerprints"], raw["results"], raw["outputs"])
        return generation if all(map(is_output, generation.files)) else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
