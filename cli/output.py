"""Where text goes: data to stdout, diagnostics to stderr."""

from __future__ import annotations

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


def progress() -> Progress:
    """A progress display on a terminal's stderr, nothing elsewhere."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)
