"""RELION 5's rules for reading STAR files, from its own sources: what it makes of a text, not how it does so."""

from __future__ import annotations

import re

Tables = dict[str, list[dict[str, str]]]


class RelionError(Exception):
    """RELION would stop here."""


def tokens(line: str) -> list[str]:
    """The words of a line: strings.cpp, nextTokenInSTAR. A quote ends a word only before a blank or the line's end."""
    found, at = [], 0
    while at < len(line):
        if line[at] in " \t\n":
            at += 1
        elif line[at] == "#":
            break
        elif line[at] in "'\"":
            end = re.compile(re.escape(line[at]) + r"(?=[ \t\n]|$)").search(line, at + 1)
            if end is None:
                raise RelionError(f"no closing quote: {line}")
            found.append(line[at + 1 : end.start()])
            at = end.end() + 1
        else:
            word = re.compile(r"[^ \t\n]+").match(line, at)
            assert word is not None
            found.append(word[0])
            at = word.end() + 1
    return found


def simplified(line: str) -> str:
    """A line of a loop as RELION looks at it: strings.cpp, simplify. Controls go, runs of blanks become one."""
    return re.sub(" +", " ", re.sub("[\n\v\b\r\f\a]", "", line).replace("\t", " ")).strip(" ")


def read_table(text: str, name: str) -> list[dict[str, str]]:
    """A table by its name: metadata_table.cpp, readStar, readStarLoop, readStarList; empty where there is none."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.endswith("\r"):
            raise RelionError("CR+LF")
        if "data_" in line and line.strip().split("data_", 1)[1] == name:
            for start, following in enumerate(lines[number + 1 :], number + 1):
                if "loop_" in following:
                    return _loop(lines[start + 1 :])
                if following.startswith("_"):
                    return [_pairs(lines[start:])]
    return []


def _loop(lines: list[str]) -> list[dict[str, str]]:
    labels: list[str] = []
    for number, line in enumerate(map(simplified, lines)):
        if line.startswith("_"):
            labels.append(line[1:].split(" #")[0])
        elif line and line[0] not in "#;":
            return _rows(labels, lines[number:])
    return []


def _rows(labels: list[str], lines: list[str]) -> list[dict[str, str]]:
    rows = []
    for line in map(simplified, lines):
        if not line:
            break
        words = tokens(line)
        if len(words) != len(labels):
            raise RelionError(f"{len(words)} values for {len(labels)} labels: {line}")
        rows.append(dict(zip(labels, words, strict=True)))
    return rows


def _pairs(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        words = tokens(line)
        if words and words[0].startswith("data_"):
            break
        if words and words[0].startswith("_"):
            if len(words) < 2:
                raise RelionError(f"no value: {line}")
            found[words[0][1:]] = words[1]
    return found


def opened_as(name: str) -> tuple[str, str]:
    """Which file and which format RELION takes an image's name for: image.h, openFile; filename.cpp, getFileFormat."""
    stacked = re.fullmatch(r"(\d+)@(.*)", name, re.DOTALL)
    file = stacked[2] if stacked else name
    if "#" in file:
        return file, "raw"
    before, colon, form = file.rpartition(":")
    if colon:
        return before.split("%")[0], form.lower()
    return file.split("%")[0], file.rpartition(".")[2].lower()


def after_job(name: str) -> str:
    """What RELION keeps of a name: filename.cpp, decomposePipelineFileName cuts off all up to a job's folder."""
    found = re.search(r"/job\d\d\d[^/]*/?", name)
    return name[found.end() :] if found else name
