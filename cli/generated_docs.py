"""Tables in Markdown files that are generated from the code: each stands between two markers, and is replaced there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


class DocsError(Exception):
    """A file without the markers of its block."""


@dataclass(frozen=True, slots=True)
class Block:
    """A generated part of a file: `file` relative to the project, `name` as in its markers, `make` writes the text."""

    file: str
    name: str
    make: Callable[[], str]


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def replaced(text: str, name: str, block: str) -> str:
    """The text with what stands between `<!-- generated: NAME -->` and `<!-- end: NAME -->` replaced.

    Raises DocsError where the markers are missing.
    """
    begin, end = f"<!-- generated: {name} -->\n", f"<!-- end: {name} -->"
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise DocsError(f"there is no block between {begin.strip()} and {end}")
    return f"{before}{begin}{block.strip()}\n{end}{after}"


def stale(root: Path, blocks: Iterable[Block]) -> dict[Path, str]:
    """The files whose generated blocks are not as the code says, with the text that they should have."""
    texts: dict[Path, str] = {}
    for block in blocks:
        path = root / block.file
        try:
            text = texts.get(path) or path.read_text(encoding="utf-8")
            texts[path] = replaced(text, block.name, block.make())
        except DocsError as error:
            raise DocsError(f"{path}: {error}") from None
    return {path: text for path, text in texts.items() if text != path.read_text(encoding="utf-8")}
