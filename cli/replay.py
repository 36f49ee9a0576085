"""`warpcore scheduler-replay`: a recorded run of the scheduler once more."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from warpcore.cli import output
from warpcore.cli.errors import CliError


def scheduler_replay(
    file: Annotated[Path, typer.Argument(help="A recording made by `warpcore scheduler --record FILE`.")],
    check: Annotated[
        bool, typer.Option("--check", help="Also check after each stimulus that the state is consistent.")
    ] = False,
) -> None:
    """Run a recording through the scheduler's decisions again, and say where they differ."""
    from warpcore.services.scheduler.store.recording import RecordError
    from warpcore.services.scheduler.store.replaying import replay

    try:
        replayed = replay(file, check=check)
    except RecordError as error:
        raise CliError(str(error)) from None
    if replayed.note:
        output.note(replayed.note)
    if replayed.difference is not None:
        raise CliError(str(replayed.difference))
    output.note(f"{replayed.stimuli} stimuli: all effects are equal")
