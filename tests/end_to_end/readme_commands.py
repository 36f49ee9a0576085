"""The commands that README.md shows: those of its blocks with a prompt, and those of its table, word for word."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).resolve().parents[2] / "README.md"

NOT_RUN = {
    "make demo": "installs from a package index; tests/cli/test_demo.py runs what it runs then",
    "make test": "installs from a package index, and runs this test",
}
"""Commands that no test takes from README, each with the reason."""

_BLOCK = re.compile(r"^```\n(.*?)^```", re.M | re.S)
_PROMPTED = re.compile(r"^(?:[a-zA-Z' ]+)?\$ +(.*)$", re.M)
_MAKE = re.compile(r"^(make \w+)", re.M)
_CELL = re.compile(r"^\| (`warpcore [^|]*`) \|", re.M)
_OF_A_SESSION = ("status", "items", "tap", "settings", "first", "retry", "export", "pause", "start", "squares")


def all_commands() -> list[str]:
    """Each command once, in order; comments and line breaks taken out."""
    text = README.read_text()
    blocks = re.sub(r"\\\n\s*", "", "\n".join(_BLOCK.findall(text)))
    found = [*_MAKE.findall(blocks), *_PROMPTED.findall(blocks)]
    found += [command for cell in _CELL.findall(text) for command in re.findall(r"`([^`]+)`", cell)]
    return list(dict.fromkeys(one.partition(" #")[0].strip() for one in found))


def of_a_session() -> list[str]:
    """Those that look at a running session or steer it."""
    return [one for one in all_commands() if one.split()[:1] == ["warpcore"] and one.split()[1] in _OF_A_SESSION]


def of_their_own() -> list[str]:
    """Those that start something or compute."""
    return [one for one in all_commands() if one not in of_a_session() and one not in NOT_RUN]
