"""Where text goes: data to stdout, diagnostics to stderr."""

from __future__ import annotations

import csv
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
import typer

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.table import Table

UNWRAPPED = 1000
"""Width of a table that goes to a file or a pipe, so that nothing is cut."""


def data(text: str) -> None:
    """Print a line of data."""
    typer.echo(text)


def as_json(value: Any) -> None:
    """Print data as one JSON document; numbers that JSON cannot say, such as infinity, are null."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def json_line(value: Any) -> None:
    """Print one JSON document on one line, as `as_json`, and flush: the reader of a pipe gets it at once."""
    typer.echo(msgspec.json.encode(value).decode())
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a diagnostic on stderr."""
    typer.echo(text, err=True)


def fail(text: str) -> None:
    """Print an error on stderr, each line with the program's name in front."""
    for line in text.splitlines() or [""]:
        typer.echo(f"warpcore: {line}", err=True)


def counted(movies: int) -> str:
    """`1 movie`, `12 movies`."""
    return f"{movies} movie" if movies == 1 else f"{movies} movies"


def local_time(seconds: float) -> str:
    """A time of day in this computer's zone, from seconds since the epoch."""
    return datetime.fromtimestamp(seconds).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def data_line(text: str) -> None:
    """Print a line of data, and flush, so that the reader of a pipe gets it at once."""
    typer.echo(text)
    sys.stdout.flush()


def table(rows: Table) -> None:
    """Print a table; in a file or a pipe its lines are not wrapped."""
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=UNWRAPPED)).print(rows)


def rows(titles: list[str], lines: list[list[str]], *, wrapped: bool = True) -> None:
    """Print a table: first, second and last column aligned to the left, the numbers between them to the right.

    On a terminal long texts are wrapped. Without `wrapped` they are not, which is much faster for many rows.
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
    """Print comma-separated values; None is an empty field."""
    csv.writer(sys.stdout, lineterminator="\n").writerows(table)


def progress() -> Progress:
    """A progress display on stderr where that is a terminal, else nothing."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
