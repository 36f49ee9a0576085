"""Stored settings of earlier versions, brought to the names and values of this one.

A setting that is renamed, or whose values change, gets a migration at the end of `MIGRATIONS`, with a test. The
database keeps the name of the last one that was applied. What this version still cannot use is set aside, never lost.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warpcore.services.session.settings import Settings, SettingsError, parse_settings

Raw = dict[str, Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from older stored settings to newer ones. `change` is pure and leaves newer settings as they are.

    `word` tells the user what it means where it changed something; "" where it means nothing to them.
    """

    name: str
    change: Callable[[Raw], Raw]
    word: str = ""


@dataclass(frozen=True, slots=True)
class Adopted:
    """Settings to put in force, what of the stored ones could not be used, by dotted name, and what to tell the user.

    `words` has a line for each migration that changed something which the user will notice.
    """

    settings: Settings
    set_aside: dict[str, Any]
    words: tuple[str, ...] = ()


def _ctf_grid_of_two(raw: Raw) -> Raw:
    ctf = raw.get("ctf")
    if isinstance(ctf, dict) and isinstance(ctf.get("grid"), list) and len(ctf["grid"]) == 3:
        return {**raw, "ctf": {**ctf, "grid": ctf["grid"][:2]}}
    return raw


_SCORES_BEFORE = {"method", "threshold", "shapes", "aspect", "suffix"}
_STEEPNESS = 8.0  # 0.45, which found weak particles at the cost of false ones, becomes 0.17; 0.55 becomes 0.83


def _threshold_as_probability(raw: Raw) -> Raw:
    picking = raw.get("picking")
    if not isinstance(picking, dict) or not picking.keys() >= _SCORES_BEFORE or "expected_false" in picking:
        return raw
    threshold, method = picking["threshold"], picking["method"]
    if method not in ("blob", "template") or not isinstance(threshold, (int, float)) or threshold in (0, 0.5, 1):
        return raw
    if not 0 < threshold < 1:
        return raw
    odds = (threshold / (1 - threshold)) ** _STEEPNESS
    return {**raw, "picking": {**picking, "threshold": round(odds / (1 + odds), 2)}}


MIGRATIONS = (
    Migration("ctf.grid is [x, y]: its third number never had an effect", _ctf_grid_of_two),
    Migration(
        "picking.threshold is a probability for blobs and templates too",
        _threshold_as_probability,
        "picking.threshold was carried over to the new scores, which are probabilities, as well as it can be: look at "
        "a few movies' picks; picking.expected_false sets the share of false picks instead",
    ),
)
LATEST = MIGRATIONS[-1].name


def migrated(raw: Raw, last: str = "") -> Raw:
    """Stored settings after all migrations that follow the one named `last`; "" is none yet.

    A name that this version does not know is of a newer version: there is nothing to migrate.
    """
    for migration in _after(last):
        raw = migration.change(raw)
    return raw


def _after(last: str) -> tuple[Migration, ...]:
    names = [migration.name for migration in MIGRATIONS]
    if last and last not in names:
        return ()
    return MIGRATIONS[names.index(last) + 1 if last else 0 :]


def _words(raw: Raw, last: str) -> tuple[str, ...]:
    """What to tell the user of the migrations that change these settings."""
    words = []
    for migration in _after(last):
        changed = migration.change(raw)
        if changed != raw and migration.word:
            words.append(migration.word)
        raw = changed
    return tuple(words)


def adopt(raw: Raw, last: str = "", set_aside: Mapping[str, Any] | None = None) -> Adopted:
    """Settings from stored ones. What is unknown or impossible is set aside and has its default.

    What an earlier version has set aside is tried again: this one may know it.
    """
    given = _with_values(raw, set_aside or {})
    left, words = migrated(given, last), _words(given, last)
    aside: dict[str, Any] = {}
    while True:
        try:
            return Adopted(parse_settings(left), aside, words)
        except SettingsError as error:
            names = {".".join(fault["name"].split(".")[:2]) for fault in error.errors}
        for name in sorted(names):
            left = _taken_out(left, name, aside)


def _with_values(raw: Raw, values: Mapping[str, Any]) -> Raw:
    merged = dict(raw)
    for dotted, value in sorted(values.items(), key=lambda item: "." in item[0]):  # whole sections first
        section, dot, name = dotted.partition(".")
        if not dot:
            merged[section] = value
        elif isinstance(merged.get(section, {}), dict):
            merged[section] = {**merged.get(section, {}), name: value}
    return merged


def _taken_out(raw: Raw, dotted: str, aside: dict[str, Any]) -> Raw:
    """Without one setting, which goes into `aside`; where it is not found, without its section; else without all."""
    section, _, name = dotted.partition(".")
    values = raw.get(section)
    if isinstance(values, dict) and name in values:
        aside[dotted] = values[name]
        return {**raw, section: {one: value for one, value in values.items() if one != name}}
    if section in raw:
        aside[section] = raw[section]
        return {one: values for one, values in raw.items() if one != section}
    if dotted not in aside:  # a fault of no single section
        aside.update(raw)
        return {}
    return raw


def load_settings_file(path: Path) -> Settings:
    """Settings from a JSON file, also one of an earlier version.

    Raises SettingsError, which names the file, where it cannot be read or its settings are wrong.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError([{"name": str(path), "value": None, "problem": f"cannot be read: {error}"}]) from None
    if not isinstance(raw, dict):
        raise SettingsError([{"name": str(path), "value": None, "problem": "is not a JSON object of sections"}])
    for word in _words(raw, ""):
        log.warning("%s: %s", path, word)
    try:
        return parse_settings(migrated(raw))
    except SettingsError as error:
        raise SettingsError([{**fault, "name": f"{path}: {fault['name']}"} for fault in error.errors]) from None
