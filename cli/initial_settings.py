"""Settings from the command line: a file, and single settings that override it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from warpcore.cli.warp_settings import load_any_settings
from warpcore.services.session.settings import (
    Settings,
    SettingsError,
    parse_assignment,
    patch_settings,
)


def merged_assignments(assignments: Iterable[str]) -> dict[str, Any]:
    """`["ctf.voltage=200", "ctf.cs=2"]` as one patch; a later assignment overrides an earlier one.

    Raises SettingsError, which names all faults.
    """
    patch, faults = _merged(assignments)
    if faults:
        raise SettingsError(faults)
    return patch


def settings_from(file: Path | None, assignments: Iterable[str], stored: Settings | None = None) -> Settings:
    """The settings of the file, changed by the assignments. Without a file: the stored settings, else the defaults.

    Raises SettingsError, which names all faults.
    """
    patch, faults = _merged(assignments)
    settings = stored or Settings()
    try:
        settings = load_any_settings(file) if file is not None else settings
    except SettingsError as error:
        faults += error.errors
    try:
        settings = patch_settings(settings, patch)
    except SettingsError as error:
        faults += error.errors
    if faults:
        raise SettingsError(faults)
    return settings


def settings_change(file: Path | None, assignments: Iterable[str]) -> Callable[[Settings], Settings] | None:
    """A function that makes the new settings from the stored ones; None where nothing is given, so that they stay."""
    texts = list(assignments)
    if file is None and not texts:
        return None
    return lambda stored: settings_from(file, texts, stored)


def _merged(assignments: Iterable[str]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The patch of the assignments that can be read, and the faults of the others."""
    patch: dict[str, Any] = {}
    faults: list[dict[str, Any]] = []
    for text in assignments:
        try:
            for section, values in parse_assignment(text).items():
                patch.setdefault(section, {}).update(values)
        except SettingsError as error:
            faults += error.errors
    return patch, faults
