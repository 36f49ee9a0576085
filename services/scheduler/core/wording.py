"""Texts for people that logs and the audit log share."""

from __future__ import annotations

import json
import re
from textwrap import shorten
from typing import Any

from warpcore.services.scheduler.core.rows import RevisionRow

_LONGEST_VALUE = 60
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]+(?=@)")
_SECRET = re.compile(r"((?:token|key|secret|password|passwd|signature)=)[^\s&#\"']+", re.IGNORECASE)


def changed_settings(row: RevisionRow, longest: int) -> str:
    """`ctf.cs 2.7 → 2.0, …`, at most so many characters."""
    changes = json.loads(row.changed).items()
    told = ", ".join(f"{name} {value_in_words(old)} → {value_in_words(new)}" for name, (old, new) in changes)
    return shorten(told or "those that were set aside are gone", longest, placeholder=" …")


def value_in_words(value: Any) -> str:
    """A value of a setting as JSON, at most 60 characters."""
    return shorten(json.dumps(value), _LONGEST_VALUE, placeholder=" …")


def counted(movies: int) -> str:
    """`1 movie`, `12 movies`."""
    return f"{movies} movie" if movies == 1 else f"{movies} movies"


def without_credentials(text: str) -> str:
    """The text with `…` in place of names and passwords, tokens and keys in URLs."""
    return _SECRET.sub(r"\1…", _CREDENTIALS.sub("…", text))
