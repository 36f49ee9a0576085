"""Errors of input files, shown to the user as one line."""

from __future__ import annotations

LONGEST_LINE = 2000
"""Characters of an error's text: it goes into logs, into answers and onto the page."""


class InputError(ValueError):
    """A movie, gain or defect file that cannot be used; the text names the file, what is wrong and what to do.

    Whatever it quotes of the file, the text is one line of printable characters, at most `LONGEST_LINE` of them.
    """

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """The text in printable characters alone, others as Python writes them; of a longer one the middle is left out."""
    printable = (one if one.isprintable() else one.encode("unicode_escape").decode() for one in _cut(text, longest))
    return _cut("".join(printable), longest)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest // 2]} … {text[-longest // 3 :]}"
