"""`warpcore try`: one movie processed aside with other settings, beside its present results."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.vocabulary import TryState
from warpcore.cli import options as o
from warpcore.cli import output, remote
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.bus.client import RequestClient
    from warpcore.bus.messages import Movie, Try

INTERVAL_S = 0.5


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("try", rich_help_panel="Control")(try_)


def try_(
    name: Annotated[str, typer.Argument(help="A movie, as `warpcore items` names it.")],
    assignments: Annotated[
        list[str], typer.Option("--set", metavar="SECTION.NAME=VALUE", help="A setting for this try alone.")
    ],
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Process one movie aside with other settings; nothing of the session changes.

    Waits for the end, and prints what was measured beside the movie's present results.
    """
    from warpcore.bus.messages import GetItem, Item, StartTry, Try
    from warpcore.cli.initial_settings import merged_assignments

    with remote.client(scheduler, control_port, key) as asking:
        started = remote.ask(asking, StartTry(name, merged_assignments(assignments), by=remote.asker()), Try)
        ended = _waited(asking, started)
        movie = remote.ask(asking, GetItem(name), Item).movie
    if as_json:
        output.as_json(ended.to_body())
    elif ended.state == TryState.DONE:
        output.rows(["column", "unit", "now", "tried"], comparison(movie, ended))
        output.note("; ".join(ended.filter_reasons) or "the filter takes it")
        output.note(f"{ended.id}: files in {ended.folder} of the processing directory")
    if ended.failure is not None:
        raise CliError(f"{ended.id} failed in {ended.failure.step}: {ended.failure.message}")


def comparison(movie: Movie, attempt: Try) -> list[list[str]]:
    """A row a column that was measured: its name and unit, the movie's present value, and the one of the try."""
    from warpcore.services.steps.chain import CHAIN
    from warpcore.services.steps.step import RUN

    shown = (column for column in CHAIN.columns if column.step != RUN)
    return [
        [column.name, column.unit, column.text(movie.results), column.text(attempt.results)]
        for column in shown
        if column.value(movie.results) is not None or column.value(attempt.results) is not None
    ]


def _waited(asking: RequestClient, attempt: Try) -> Try:
    from warpcore.bus.messages import GetTry, Try

    with output.progress() as progress:
        bar = progress.add_task(f"try {attempt.name}", total=1.0)
        while attempt.state in (TryState.WAITING, TryState.RUNNING):
            what = f"{attempt.name} {attempt.step or attempt.state}"
            progress.update(bar, description=what, completed=attempt.fraction)
            time.sleep(INTERVAL_S)
            attempt = remote.ask(asking, GetTry(attempt.id), Try)
    return attempt
