"""Values in the text of metadata files: what cannot be read, or cannot be, counts as not told."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from warpcore.bus.limits import LONGEST_NAME
from warpcore.services.session.errors import InputError

MOST_METADATA_BYTES = 8 * 2**20
"""Of a file of metadata. SerialEM's file for all frames of a long session has less."""

_NUMBER = re.compile(r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)(?:\s.*)?", re.ASCII)
"""Each digit can be matched in one way only: a second one would take the square of the digits' number."""
_MOST_COUNT = 2**31 - 1
_DATES = ("%d-%b-%y %H:%M:%S", "%d-%b-%Y %H:%M:%S", "%b-%d-%Y %H:%M:%S", "%b-%d-%y %H:%M:%S", "%Y-%m-%d %H:%M:%S")


class MetadataError(InputError):
    """A file of metadata that cannot be read: the text says what is wrong with it, without the file's name."""


def number(text: str | None, factor: float = 1.0) -> float | None:
    """The number that a text begins with, times `factor`; None for others, NaN and infinite ones.

    A unit behind a space (`50 um`) is left out.
    """
    match = _NUMBER.fullmatch(text.strip()) if text else None
    value = float(match.group(1)) * factor if match else math.nan
    return value if math.isfinite(value) else None


def positive(text: str | None, factor: float = 1.0) -> float | None:
    """The number where it is more than 0: programs write 0 for what they do not know."""
    value = number(text, factor)
    return value if value is not None and value > 0 else None


def per_area(electrons: float | None, pixel_size_angstrom: float | None) -> float | None:
    """Electrons per Å² of a count for one pixel; None where either is not told, or the quotient is no finite number."""
    area = 0.0 if electrons is None or pixel_size_angstrom is None else pixel_size_angstrom * pixel_size_angstrom
    dose = electrons / area if electrons is not None and area > 0 else math.nan
    return dose if math.isfinite(dose) and dose > 0 else None


def count(text: str | None) -> int | None:
    """A whole number from 1; None for others."""
    value = number(text)
    return int(value) if value is not None and value.is_integer() and 1 <= value <= _MOST_COUNT else None


def numbers(text: str | None) -> list[float | None]:
    """The numbers in a text with spaces between."""
    return [number(one) for one in text.split()] if text else []


def flag(text: str | None) -> bool | None:
    """`true` and `false` in any case, `1` and `0`; None for others."""
    return {"true": True, "1": True, "false": False, "0": False}.get(text.strip().lower()) if text else None


def word(text: str | None) -> str | None:
    """A name in one line of printable characters, cut at what one message may hold; None without any."""
    kept = "".join(one if one.isprintable() else " " for one in text or "").strip()
    return kept[:LONGEST_NAME] or None


def base_name(path: str | None) -> str | None:
    """The last part of a path as Windows or Unix writes it."""
    return word(re.split(r"[\\/]", path.strip())[-1]) if path else None


def iso_time(text: str | None) -> float | None:
    """Epoch seconds of an ISO 8601 time; one without a zone counts as UTC."""
    try:
        return _epoch_s(datetime.fromisoformat(text.strip())) if text else None
    except ValueError:
        return None


def clock_time(text: str | None) -> float | None:
    """Epoch seconds of SerialEM's `11-Aug-19  14:13:22` and its other forms. It tells no zone: they count as UTC."""
    plain = " ".join(text.split()) if text else ""
    for form in _DATES:
        try:
            return _epoch_s(datetime.strptime(plain, form))
        except ValueError:
            continue
    return None


def name_time(text: str) -> float | None:
    """Epoch seconds of EPU's `20250108_154918`, without seconds in early versions. It tells no zone: as UTC."""
    try:
        return _epoch_s(datetime.strptime(text, "%Y%m%d_%H%M%S" if len(text) == 15 else "%Y%m%d_%H%M"))
    except ValueError:
        return None


def _epoch_s(time: datetime) -> float | None:
    try:
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None
