"""What a movie is processed with: what the user set, else what its metadata tells, else its header, else an assumption.

A pixel size is never assumed. Movies of equal `Facts` have equal settings, so that 100 000 are resolved a few times.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePath, PureWindowsPath
from typing import Any

from warpcore.services.session.facts import Facts, ToldByHeader, ToldByMetadata, facts_of
from warpcore.services.session.fractions import fractionation
from warpcore.services.session.pixel_size import header_doubt, is_possible, unknown_pixel
from warpcore.services.session.settings import SECTIONS, Settings
from warpcore.services.steps.fields import assumed_values

VOLTAGE, CS, DOSE, PIXEL = "ctf.voltage", "ctf.cs", "import.dose_per_frame", "import.pixel_size"
RESOLVED = (PIXEL, DOSE, VOLTAGE, CS)
"""The settings that a movie may tell itself."""
GAIN = "import.gain_path"
SETTING, METADATA, HEADER, ASSUMED = "setting", "metadata", "header", "assumed"
"""Where a value comes from."""

SAME = {VOLTAGE: 0.005, CS: 0.005, DOSE: 1 / 3, PIXEL: 0.02}
"""By so large a part values may differ and count as one.

Calibrated pixel sizes differ by a percent from the nominal ones that microscopes write; doses vary with exposure and
ice.
"""
UNITS = {VOLTAGE: "kV", CS: "mm", DOSE: "e⁻/Å² a frame", PIXEL: "Å"}
_DIGITS = {DOSE: 4, PIXEL: 6}
"""Significant digits: doses that jitter from movie to movie are not other settings, nor are rounded metres."""
_NUMBERED = re.compile(r"\d{4}")
_BINNINGS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings in which nothing that a movie tells is null any more, and where each value comes from.

    `sources` has one of the words above by dotted name, `conflicts` what contradicts it, in words. `waits_for` says
    what must be set before the movie can be processed, "" where nothing must.
    """

    settings: Settings
    sources: dict[str, str]
    conflicts: dict[str, str] = field(default_factory=dict)
    waits_for: str = ""


def resolved(settings: Settings, header: ToldByHeader | None, acquisition: ToldByMetadata | None) -> Resolved:
    """The settings that a movie of this header and metadata is processed with."""
    return resolved_by(settings, facts_of(header, acquisition))


def resolved_by(settings: Settings, facts: Facts) -> Resolved:
    """The settings that a movie of which this is told is processed with."""
    conflicts: dict[str, str] = {}
    told = {
        VOLTAGE: facts.voltage_kv,
        CS: facts.cs_mm,
        PIXEL: _told_pixel(facts, conflicts),
        DOSE: _told_dose(settings, facts),
    }
    values: dict[str, float | None] = {}
    sources: dict[str, str] = {}
    for name in told:
        values[name], sources[name] = _chosen(name, value_of(settings, name), _allowed(name, told[name]))
    if values[PIXEL] is None and facts.header_angstrom is not None and not header_doubt(facts.header_angstrom):
        values[PIXEL], sources[PIXEL] = facts.header_angstrom, HEADER
    _note_conflicts(values, sources, told, facts, conflicts)
    if other := _other_gain(settings.import_.gain_path, facts.gain_reference):
        conflicts[GAIN] = other
    waits_for = unknown_pixel(facts.header_angstrom) if values[PIXEL] is None and facts.is_known else ""
    if values[PIXEL] is None:
        sources.pop(PIXEL)
    return Resolved(_with(settings, values), sources, conflicts, waits_for)


def for_fingerprints(resolved: Resolved, *, is_eer: bool) -> Settings:
    """The settings that fingerprints are made of.

    A header's pixel size is part of the file, whose identity counts. Of an EER the rendered pixel counts, which
    `import.pixel_size` meant in earlier versions: results that were made with a wrong one are made again.
    """
    settings, pixel = resolved.settings, value_of(resolved.settings, PIXEL)
    if resolved.sources.get(PIXEL) == HEADER:
        return _with(settings, {PIXEL: None})
    if is_eer and pixel is not None:
        return _with(settings, {PIXEL: pixel / settings.import_.eer_upsampling})
    return settings


def _told_pixel(facts: Facts, conflicts: dict[str, str]) -> float | None:
    """Å of the movie's own stored pixels by its metadata, which may speak of a binned image of the camera."""
    pixel, image, own = facts.pixel_angstrom, facts.image_px, facts.longest_px
    if pixel is None or image is None or own is None:
        return pixel
    ratio = image / own
    if not any(math.isclose(ratio, binning, rel_tol=SAME[PIXEL]) for binning in _BINNINGS):
        conflicts[PIXEL] = (
            f"the metadata's {pixel:.4g} Å are those of an image of {image} px, "
            f"and the movie has {own} px, which is no binning of it; it is not used"
        )
        return None
    return pixel * ratio


def _told_dose(settings: Settings, facts: Facts) -> float | None:
    """e⁻/Å² in each frame as `import.dose_per_frame` means it, of the whole exposure's."""
    if facts.exposure_dose is None or not facts.frames:
        return None
    raw = facts.exposure_dose / facts.frames
    if facts.is_eer and settings.import_.eer_dose_per_group is None:
        raw *= fractionation(facts.frames, settings.import_).size
    return _rounded(DOSE, raw)


def _chosen(name: str, setting: float | None, told: float | None) -> tuple[float | None, str]:
    if setting is not None:
        return setting, SETTING
    if told is not None:
        return _rounded(name, told), METADATA
    return _assumed(name), ASSUMED


def _note_conflicts(
    values: dict[str, float | None],
    sources: dict[str, str],
    told: dict[str, float | None],
    facts: Facts,
    conflicts: dict[str, str],
) -> None:
    for name, other in told.items():
        value, unit, digits = values[name], UNITS[name], 2 if name == DOSE else 4  # doses jitter from movie to movie
        if other is not None and _allowed(name, other) is None:
            conflicts[name] = f"the metadata's {other:.4g} {unit} cannot be; it is not used"
        elif name == DOSE and value == 0:
            continue  # a choice where frames are not weighted; elsewhere the session's notices tell of it
        elif sources[name] == SETTING and other is not None and _differ(value, other, SAME[name]):
            conflicts[name] = f"{name} is {value:.4g} {unit}, and the metadata says {other:.{digits}g} {unit}"
    header = facts.header_angstrom
    if PIXEL in conflicts or header is None or header_doubt(header) or sources[PIXEL] not in (SETTING, METADATA):
        return
    if _differ(values[PIXEL], header, SAME[PIXEL]):
        who = f"{PIXEL} is" if sources[PIXEL] == SETTING else "the metadata says pixels of"
        conflicts[PIXEL] = f"{who} {values[PIXEL]:.4g} Å, and the header says {header:.4g} Å"


def _other_gain(path: str | None, told: str | None) -> str:
    """How the gain in use differs from the one that the metadata name, "" where it does not.

    Only names with a date or a number are compared: a reference that was renamed to `gain.mrc` may be any.
    """
    own = PurePath(path or "").name
    named = PureWindowsPath(told or "").name  # as SerialEM writes it; slashes separate there too
    stems = PurePath(own).stem.lower(), PurePath(named).stem.lower()
    if stems[0] == stems[1] or not all(_NUMBERED.search(stem) for stem in stems):
        return ""
    return f"{GAIN} is {own}, and the metadata names {named}"


def _differ(value: float | None, other: float, same: float) -> bool:
    return value is not None and not math.isclose(value, other, rel_tol=same)


def _allowed(name: str, told: float | None) -> float | None:
    """What metadata tell, None where no setting could have that value."""
    if told is None:
        return None
    if name == PIXEL:
        return told if is_possible(told) else None
    low, high = _limits(name)
    return told if low <= told <= high else None


@cache
def _limits(name: str) -> tuple[float, float]:
    section, _, key = name.partition(".")
    limits = SECTIONS[section].model_fields[key].metadata
    low = next(one.ge for one in limits if hasattr(one, "ge"))
    return float(low), float(next(one.le for one in limits if hasattr(one, "le")))


@cache
def _assumed(name: str) -> float | None:
    section, _, key = name.partition(".")
    return assumed_values(SECTIONS[section]).get(key)


def _rounded(name: str, value: float) -> float:
    return float(f"{value:.{_DIGITS[name]}g}") if name in _DIGITS else value


def value_of(settings: Settings, name: str) -> float | None:
    """The value of one of these settings."""
    section, _, key = name.partition(".")
    value: float | None = getattr(settings.section(section), key)
    return value


def _with(settings: Settings, values: dict[str, float | None]) -> Settings:
    """The settings with other values, which must be possible ones; nothing is checked."""
    changed: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        section, _, key = name.partition(".")
        changed.setdefault(section, {})[key] = value
    update = {
        ("import_" if section == "import" else section): settings.section(section).model_copy(update=part)
        for section, part in changed.items()
    }
    return settings.model_copy(update=update)
