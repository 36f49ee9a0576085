"""`warpcore report`: the session in one HTML file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli import rest_options as r


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Control")(report)


def report(
    file: Annotated[Path, typer.Argument(help="The file to write; one of this name is replaced.")] = Path(
        "warpcore_report.html"
    ),
    url: o.Url = "http://127.0.0.1:5000",
    ca: r.Authorities = None,
    token_file: o.TokenFile = None,
) -> None:
    """Write a report of the session: one HTML file with plots, best and worst movies, settings and failures."""
    from warpcore.services.access.token_files import own_token
    from warpcore.services.client import Session

    made = Session(url, token=own_token(url, os.environ, token_file), ca=ca).report()
    file.write_bytes(made)
    output.note(f"{file}: {len(made) / 1e6:.1f} MB")
