"""STAR text: blocks of pairs and loops, laid out as RELION does.

Written here, read elsewhere with `starfile`: its writer stamps the time into each file, so equal results would not be equal
bytes, and it has no rows to keep, so that each change would format 10 000 movies anew.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

Value = str | int | float


def star_row(values: Iterable[Value]) -> str:
    """One row of a loop: integers as they are, floats with six decimals, texts quoted where a reader would split them."""
    return " ".join(_formatted(value) for value in values)


def loop_block(name: str, columns: Sequence[str], rows: Iterable[str]) -> str:
    """A `data_<name>` block that is a loop; `rows` come from `star_row`. Without rows it is still a valid, empty loop."""
    header = [f"_{column} #{number}" for number, column in enumerate(columns, 1)]
    return "\n".join(["", "# version 30001", "", f"data_{name}", "", "loop_", *header, *rows, "", ""])


def pairs_block(name: str, values: Mapping[str, Value]) -> str:
    """A `data_<name>` block of one value a name."""
    lines = [f"_{key:<45} {_formatted(value)}" for key, value in values.items()]
    return "\n".join(["", "# version 30001", "", f"data_{name}", "", *lines, "", ""])


def _formatted(value: Value) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float):
        if math.isnan(value):
            raise ValueError("NaN has no place in a STAR file")
        return f"{value:.6f}"
    return str(int(value))


def _quoted(text: str) -> str:
    if "\n" in text or ('"' in text and "'" in text):
        raise ValueError(f"{text!r} cannot be written to a STAR file")
    if text and not any(character.isspace() for character in text) and text[0] not in "\"'#_":
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'
