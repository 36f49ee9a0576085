"""Options that say whose keys and tokens are meant, and what the commands and services make of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.cli.errors import USAGE, CliError

if TYPE_CHECKING:
    from warpcore.services.access.places import Access as Folder


def _access(help: str, default: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        "--access", metavar="DIR", envvar="WARPCORE_ACCESS", help=help, show_default=default
    )
    return option


_HELP = "Folder of the keys and tokens of a session, for its owner alone."

Access = Annotated[Path | None, _access(_HELP, "<processing>/.warpcore/access")]
SchedulerAccess = Annotated[Path | None, _access(_HELP, "none, and then only this host may connect, without a key")]
ApiAccess = Annotated[Path | None, _access(f"{_HELP} One of the two is needed: this, or --insecure.", "none")]
PoolAccess = Annotated[
    Path | None,
    _access(
        "Access directory of the session, in which each job gets a key; used where --key is given.",
        "<processing>/.warpcore/access",
    ),
]
Insecure = Annotated[
    bool,
    typer.Option(
        "--insecure",
        envvar="WARPCORE_INSECURE",
        help="Without keys and tokens: whoever reaches a port commands the session.",
    ),
]
OfSession = Annotated[
    Path | None,
    typer.Option(
        "--processing",
        envvar="WARPCORE_PROCESSING",
        help="Processing directory of the session whose keys and tokens are meant.",
        show_default="that of your running session",
    ),
]


def access_of(access: Path | None, processing: Path | None) -> Folder:
    """The access directory that a command was given, or that `--session` has found for it. Raises CliError."""
    from warpcore.services.access.places import Access as Folder

    if access is None and processing is None:
        raise CliError("no session of yours runs here: give --processing DIR, or --access DIR", USAGE)
    return Folder.of(access, processing or Path())
