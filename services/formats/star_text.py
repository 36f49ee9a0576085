"""STAR text: blocks of pairs and loops, laid out as RELION does.

The package `starfile` is not used for writing: it puts the time into each file, so that equal results would not give
equal bytes; and it cannot take rows that were formatted before, so that each change would format 10 000 movies again.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from warpcore.services.session.movie_names import is_one_line

Value = str | int | float

_WORD = re.compile(r"""\"([^\"]*)\"|'([^']*)'|(\S+)""")
_PLAIN = re.compile(r"(?!data_|loop_|save_|stop_|global_)[^\s\"'#_\\][^\s\"'#\\]*", re.IGNORECASE)
"""What readers take as one word without quotes: none of STAR's own words, nothing that RELION (`nextTokenInSTAR` of
strings.cpp) or starfile (parser.py: pandas in loops, shlex in pairs) takes for a quote, a comment or an escape."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop as read: names of the columns, and the rows as their text."""

    columns: tuple[str, ...]
    rows: list[str]


def star_row(values: Iterable[Value]) -> str:
    """One row of a loop: floats have six decimals; texts that a reader would split are quoted."""
    return " ".join(_formatted(value) for value in values)


def loop_block(name: str, columns: Sequence[str], rows: Iterable[str]) -> str:
    """A `data_<name>` block that is a loop of `rows` from `star_row`; without rows it is a valid, empty loop."""
    header = [f"_{column} #{number}" for number, column in enumerate(columns, 1)]
    return "\n".join(["", "# version 30001", "", f"data_{name}", "", "loop_", *header, *rows, "", ""])


def pairs_block(name: str, values: Mapping[str, Value]) -> str:
    """A `data_<name>` block of one value a name."""
    lines = [f"_{key:<45} {_formatted(value)}" for key, value in values.items()]
    return "\n".join(["", "# version 30001", "", f"data_{name}", "", *lines, "", ""])


def read_loops(text: str) -> dict[str, Loop]:
    """The loops of a STAR file that this module wrote, by block. Raises ValueError for anything else."""
    loops: dict[str, Loop] = {}
    lines = iter(text.splitlines())
    name: str | None = None
    for line in lines:
        if line.startswith("data_"):
            name = line[5:]
        elif line.strip() == "loop_":
            if name is None or name in loops:
                raise ValueError("a loop outside of a block of its own")
            columns, rows = _read_loop(lines)
            loops[name] = Loop(columns, rows)
    return loops


def row_words(row: str) -> list[str]:
    """The values of a row, without quotes."""
    return ["".join(found) for found in _WORD.findall(row)]


def _read_loop(lines: Iterator[str]) -> tuple[tuple[str, ...], list[str]]:
    """Column names and rows up to the empty line that ends the loop."""
    columns: list[str] = []
    rows: list[str] = []
    for line in lines:
        if not line.strip():
            break
        if line.startswith("_") and not rows:
            columns.append(line.split()[0][1:])
        else:
            rows.append(line)
    return tuple(columns), rows


def _formatted(value: Value) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no place in a STAR file: RELION reads it as 0")
        return f"{value:.6f}"
    return str(int(value))


def is_writable(text: str) -> bool:
    """Whether a STAR file can hold this text: in one line, with one kind of quotes at most."""
    return is_one_line(text) and not ('"' in text and "'" in text)


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    if not is_writable(text):
        raise ValueError(f"{text!r} cannot be written to a STAR file")
    # In ' a \\ is itself, for RELION and for shlex; in " it is for RELION alone.
    return f"'{text}'" if '"' in text or ("\\" in text and "'" not in text) else f'"{text}"'
