"""Names of movies that every program after us can read back; others are refused before anything is made of them."""

from __future__ import annotations

import re

LONGEST_NAME_BYTES = 175
"""Of a movie's file name without its extension: with the longest `picking.suffix`, an extension, and what a file is
called while it is put in place, it reaches the 255 bytes that a file system allows."""

_LINE_ENDS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
"""What ends a line for some reader, or is shown by none."""

_REFUSED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[\t\x0b\x0c]"), "a tab, which STAR files take for the end of a name"),
    # starfile, parser.py: in loops each ' becomes a ", and in blocks of pairs shlex takes both for the ends of a text.
    (re.compile(r"['\"]"), "a quote, which readers of STAR files take for the end of a name"),
    # RELION, filename.cpp, getFileFormat: `#` means raw data, and what follows the last `:` is the format;
    # image.h, openFile: a name ends before `%`.
    (re.compile(r"[#:%]"), "one of # : %, with which RELION opens no image"),
    # RELION, strings.cpp, simplify: each run of blanks in a line becomes one.
    (re.compile(r" {2}"), "two blanks in a row, which RELION reads as one"),
)
_NOT_UTF8 = re.compile(r"[\ud800-\udfff]")
_JOB = re.compile(r"(?:.*/)?(job\d{3})[^/]*", re.DOTALL)


def is_one_line(text: str) -> bool:
    """Whether a text has no control character and nothing that some reader takes for the end of a line."""
    return not _LINE_ENDS.search(text)


def name_fault(path: str) -> str:
    """Why a movie cannot have this path below the data directory, "" where it can: one clause, and what to do."""
    if _NOT_UTF8.search(path):
        return "its name is not UTF-8; rename it"
    if not is_one_line(path):
        return "its name has a control character, which no STAR file can hold; rename it"
    for pattern, what in _REFUSED:
        if found := pattern.search(path):
            where = "its name" if found.start() > path.rfind("/") else "the name of its folder"
            return f"{where} has {what}; rename it"
    # RELION, filename.cpp, decomposePipelineFileName: such a part, and all before it, is cut off, as a job's folder.
    if job := _JOB.fullmatch(path):
        return f"its name begins with {job[1]!r}, which RELION takes for the folder of a job; rename it"
    name = path.rpartition("/")[2]
    stem = len((name.rpartition(".")[0] or name).encode())
    if stem > LONGEST_NAME_BYTES:
        longest = f"and those of its outputs are longer; shorten it to {LONGEST_NAME_BYTES}"
        return f"its name has {stem} bytes before its extension, {longest}"
    return ""
