"""Times as people write them: `30m`, `12h`, `7d`."""

from __future__ import annotations

import re

_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,4})([mhd])")


def seconds_in(text: str) -> int | None:
    """The seconds in `30m`, `12h` or `7d`; None for any other text."""
    found = _DURATION.fullmatch(text)
    return None if found is None else int(found[1]) * _SECONDS[found[2]]
