"""Where text goes: data to stdout, diagnostics to stderr."""

from __future__ import annotations

import csv
import json
import sys
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

UNWRAPPED = 1000
"""Columns of a table that goes to a file or a pipe: nothing is cut."""


def data(text: str) -> None:
    """A line of what was asked for."""
    typer.echo(text)


def as_json(value: Any) -> None:
    """What was asked for, as one JSON document."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def json_line(value: Any) -> None:
    """One JSON document on one line, at once readable by whoever reads a pipe."""
    typer.echo(json.dumps(value, ensure_ascii=False))
    sys.stdout.flush()


def note(text: str) -> None:
    """A diagnostic."""
    typer.echo(text, err=True)


def fail(text: str) -> None:
    """An error, under the program's name, one line a fault."""
    for line in text.splitlines() or [""]:
        typer.echo(f"warpcore: {line}", err=True)


def data_line(text: str) -> None:
    """A line of what was asked for, at once readable by whoever reads a pipe."""
    typer.echo(text)
    sys.stdout.flush()


def table(rows: Table) -> None:
    """A table of what was asked for."""
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=UNWRAPPED)).print(rows)


def rows(titles: list[str], lines: list[list[str]], *, wrapped: bool = True) -> None:
    """A table: the first, second and last column to the left, numbers between them to the right.

    On a terminal long texts are wrapped, unless there are so many rows that `wrapped` is off.
    """
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if console.is_terminal and wrapped:
        shown = Table(box=None, pad_edge=False)
        for index, title in enumerate(titles):
            number = 2 <= index < len(titles) - 1
            shown.add_column(title, justify="right" if number else "left", overflow="fold")
        for line in lines:
            shown.add_row(*line)
        console.print(shown)
        return
    widths = [max(map(len, column)) for column in zip(titles, *lines, strict=True)]
    for line in (titles, *lines):
        cells = (
            text.rjust(width) if 2 <= index < len(titles) - 1 else text.ljust(width)
            for index, (text, width) in enumerate(zip(line, widths, strict=True))
        )
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def csv_rows(table: list[list[Any]]) -> None:
    """Comma-separated values, None as nothing."""
    csv.writer(sys.stdout, lineterminator="\n").writerows(table)


def progress() -> Progress:
    """A progress display on a terminal's stderr, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
