"""Gain and defects files that settings name: whether they are there, and which ones exactly. The only place that looks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from warpcore.services.movies.settings import ImportSettings


def check_references(settings: ImportSettings) -> tuple[str, list[dict[str, Any]]]:
    """Identity (size and mtime of gain and defects files, part of each fingerprint) and what is wrong with them, one fault a file."""
    identities, faults = [], []
    for name in ("gain_path", "defects_path"):
        given = getattr(settings, name)
        if not given:
            continue
        try:
            found = Path(given).stat()
            if not Path(given).is_file():
                raise OSError(0, "is not a file")
        except (OSError, ValueError) as error:
            problem = (
                f"cannot be read: {getattr(error, 'strerror', None) or error}; give a file that all workers can read"
            )
            faults.append({"name": f"import.{name}", "value": given, "problem": problem})
            continue
        identities.append(f"{name}:{found.st_size}:{found.st_mtime_ns}")
    return " ".join(identities), faults
