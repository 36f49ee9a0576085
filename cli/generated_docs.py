"""Tables in the docs that are made from declarations: `python -m warpcore.cli.generated_docs docs` writes them anew.

A table stands between `<!-- generated: NAME -->` and `<!-- end -->`; what lies between is replaced.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

from warpcore.cli import output
from warpcore.services.session.describing import columns_in_words, descriptions, steps_in_words
from warpcore.services.session.settings import SECTIONS
from warpcore.services.steps.chain import SHIPPED

_BLOCK = re.compile(r"(?P<begin><!-- generated: (?P<name>[a-z-]+) -->\n)(?P<table>.*?)(?P<end><!-- end -->)", re.DOTALL)


def table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    titles = list(titles)
    lines = (titles, ["---"] * len(titles), *rows)
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def settings_table() -> str:
    """All settings by section."""
    parts = []
    for section, found in groupby(descriptions(), lambda one: one.name.partition(".")[0]):
        rows = (
            (
                f"`{one.name}`",
                f"`{one.default_text}`",
                one.unit,
                one.allowed.replace('"', "`"),
                one.description,
                one.touches,
            )
            for one in found
        )
        about = (SECTIONS[section].__doc__ or "").splitlines()[0]
        titles = ("setting", "default", "unit", "allowed", "meaning", "touches")
        parts.append(f"## {section}\n\n{about}\n\n{table(titles, rows)}")
    return "\n" + "\n".join(parts) + "\n"


def outputs_table() -> str:
    """The files of each step that ships."""
    rows = (
        (step.name, f"`{file.path('<movie>', '<suffix>')}`", file.description)
        for step in SHIPPED
        for file in step.outputs
    )
    return table(("step", "file", "content"), rows)


def columns_table() -> str:
    """All measured values."""
    rows = (
        (f"`{name}`", unit, f"`{key}`" if key else "", f"`{label}`" if label else "", description)
        for name, unit, key, label, description in columns_in_words()
    )
    return table(("column", "unit", "in `processed_items.json`", "in STAR files", "meaning"), rows)


def steps_table() -> str:
    """The steps and what they build on."""
    rows = ((f"`{name}`", description, parents, version) for name, parents, version, description in steps_in_words())
    return table(("step", "does", "builds on", "version"), rows)


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "outputs": outputs_table,
    "columns": columns_table,
    "steps": steps_table,
}


def with_tables(text: str) -> str:
    """A Markdown text with all its generated tables made anew. Raises KeyError for a table that nobody makes."""
    return _BLOCK.sub(lambda match: match["begin"] + TABLES[match["name"]]() + match["end"], text)


def stale(docs: Path) -> list[Path]:
    """Files below `docs` whose tables are not what they should be."""
    return [
        path for path in sorted(docs.rglob("*.md")) if with_tables(path.read_text("utf-8")) != path.read_text("utf-8")
    ]


def main() -> None:
    """Write the tables of all Markdown files below the folder that is named."""
    for path in stale(Path(sys.argv[1])):
        path.write_text(with_tables(path.read_text("utf-8")), encoding="utf-8")
        output.note(f"{path}: tables written")


if __name__ == "__main__":
    main()
