"""Commands that ask the scheduler to do something: start, pause, retry, select, first."""

from __future__ import annotations

from typing import Annotated

import typer

from warpcore.bus.vocabulary import WAITING, MovieStatus, Selection, in_words
from warpcore.cli import options as o
from warpcore.cli import output, remote

Names = Annotated[list[str], typer.Argument(help="Movies, as `warpcore items` names them.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (start, pause, first, retry, select):
        app.command(rich_help_panel="Control")(command)


def start(scheduler: o.SchedulerHost = "127.0.0.1", control_port: o.ControlPort = 8081) -> None:
    """Hand movies to workers again after a pause."""
    from warpcore.bus.messages import ProcessingStatus, StartProcessing

    status = remote.ask_once(scheduler, control_port, StartProcessing(), ProcessingStatus)
    output.note(f"processing: movies to do: {_waiting(status.counts)}, workers: {status.workers}")


def pause(scheduler: o.SchedulerHost = "127.0.0.1", control_port: o.ControlPort = 8081) -> None:
    """Hand out no more movies. Those that run are finished."""
    from warpcore.bus.messages import PauseProcessing, ProcessingStatus

    status = remote.ask_once(scheduler, control_port, PauseProcessing(), ProcessingStatus)
    running = f", still running: {len(status.running)}" if status.running else ""
    output.note(f"paused: movies that wait: {_waiting(status.counts)}{running}")


def first(names: Names, scheduler: o.SchedulerHost = "127.0.0.1", control_port: o.ControlPort = 8081) -> None:
    """Process these waiting movies before all others, in this order."""
    from warpcore.bus.messages import Item, PrioritiseItem

    with remote.client(scheduler, control_port) as asking:
        # Each goes ahead of all that wait, so the last one asked for is the first to run.
        wanted = list(reversed(names))
        remote.each(wanted, lambda name: remote.ask(asking, PrioritiseItem(name, first=True), Item), "goes first")


def retry(
    names: Annotated[list[str] | None, typer.Argument(help="Movies, as `warpcore items` names them.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All failed movies.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Run all steps of processed movies again too.")] = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
) -> None:
    """Queue failed movies again."""
    from warpcore.bus.messages import Item, RetryItem

    if not names and not failed:
        raise typer.BadParameter("give names of movies, or --failed for all that failed")
    with remote.client(scheduler, control_port) as asking:
        wanted = list(names or [])
        if failed:
            wanted += [
                movie.name for movie in remote.all_movies(asking, MovieStatus.FAILED) if movie.name not in wanted
            ]
        if not wanted:
            output.note("no movie has failed: nothing to retry")
        remote.each(wanted, lambda name: remote.ask(asking, RetryItem(name, force), Item), "to be run again")


def select(
    selection: Annotated[Selection, typer.Argument(help=in_words(Selection))],
    names: Names,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
) -> None:
    """Keep movies or leave them out, whatever the filter says; auto leaves it to the filter."""
    from warpcore.bus.messages import Item, SelectItem

    with remote.client(scheduler, control_port) as asking:
        remote.each(names, lambda name: remote.ask(asking, SelectItem(name, selection), Item), selection)


def _waiting(counts: dict[str, int]) -> int:
    return sum(counts.get(status, 0) for status in (*WAITING, MovieStatus.QUEUED))
