"""Commands that ask the scheduler to do something: start, pause, order, first, retry, forget, select, undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.vocabulary import WAITING, FailureKind, MovieStatus, Order, Selection, in_words
from warpcore.cli import options as o
from warpcore.cli import output, remote
from warpcore.cli.errors import CliError
from warpcore.cli.output import counted, local_time

if TYPE_CHECKING:
    from warpcore.bus.client import RequestClient
    from warpcore.bus.messages import RetryItems

Names = Annotated[list[str], typer.Argument(help="Movies, as `warpcore items` names them.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (start, pause, order, first, retry, forget, select, undo):
        app.command(rich_help_panel="Control")(command)


def start(scheduler: o.SchedulerHost = "127.0.0.1", control_port: o.ControlPort = 8081, key: o.Key = None) -> None:
    """Hand movies to workers again after a pause."""
    from warpcore.bus.messages import ProcessingStatus, StartProcessing

    status = remote.ask_once(scheduler, control_port, key, StartProcessing(), ProcessingStatus)
    output.note(f"processing: movies to do: {_waiting(status.counts)}, workers: {status.workers}")


def pause(scheduler: o.SchedulerHost = "127.0.0.1", control_port: o.ControlPort = 8081, key: o.Key = None) -> None:
    """Hand out no more movies. Those that run are finished."""
    from warpcore.bus.messages import PauseProcessing, ProcessingStatus

    status = remote.ask_once(scheduler, control_port, key, PauseProcessing(), ProcessingStatus)
    running = f", still running: {len(status.running)}" if status.running else ""
    output.note(f"paused: movies that wait: {_waiting(status.counts)}{running}")


def order(
    order: Annotated[Order, typer.Argument(help=in_words(Order))],
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Choose which waiting movie is processed next; those put first stay ahead."""
    from warpcore.bus.messages import OrderProcessing, ProcessingStatus

    status = remote.ask_once(scheduler, control_port, key, OrderProcessing(order), ProcessingStatus)
    output.note(f"order {status.order}: {status.order.meaning}")


def first(
    names: Names, scheduler: o.SchedulerHost = "127.0.0.1", control_port: o.ControlPort = 8081, key: o.Key = None
) -> None:
    """Process these waiting movies before all others, in this order."""
    from warpcore.bus.messages import Item, PrioritiseItem

    with remote.client(scheduler, control_port, key) as asking:
        # Each goes ahead of all that wait, so the last one asked for is the first to run.
        wanted = list(reversed(names))
        remote.each(wanted, lambda name: remote.ask(asking, PrioritiseItem(name, first=True), Item), "goes first")


def retry(
    names: Annotated[list[str] | None, typer.Argument(help="Movies, as `warpcore items` names them.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="All failed movies.")] = False,
    kind: Annotated[FailureKind | None, typer.Option(help="All movies with a failure of this kind.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Run all steps of the named movies again, processed or not.")
    ] = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Queue failed movies again."""
    from warpcore.bus.limits import MOST_RETRIED
    from warpcore.bus.messages import RetryItems
    from warpcore.bus.portions import portions

    if bool(names) == (failed or kind is not None):
        raise typer.BadParameter("give names of movies, or --failed or --kind for all that failed")
    named = [RetryItems(names=some, force=force) for some in portions(names or [], MOST_RETRIED)]
    requests = named or [RetryItems(kind, force=force)]
    with remote.client(scheduler, control_port, key) as asking:
        _retry(asking, requests)


def _retry(asking: RequestClient, requests: list[RetryItems]) -> None:
    """Ask, and go on where an answer says that there is more. Raises CliError where movies are refused."""
    from msgspec.structs import replace

    from warpcore.bus.messages import ItemsRetried

    retried = refused = 0
    while requests:
        request = requests.pop(0)
        reply = remote.ask(asking, request, ItemsRetried)
        retried, refused = retried + reply.retried, refused + len(reply.refused)
        for one in reply.refused:
            output.fail(one["problem"])
        if reply.next_after is not None:
            requests.append(replace(request, after=reply.next_after))
    output.note(f"{counted(retried)} to be run again" if retried else "nothing to retry")
    if refused:
        raise CliError(f"{counted(refused)} refused")


def forget(
    names: Names, scheduler: o.SchedulerHost = "127.0.0.1", control_port: o.ControlPort = 8081, key: o.Key = None
) -> None:
    """Take failed movies out of the session, as where a file was deleted. One that is there is found anew."""
    from warpcore.bus.limits import MOST_RETRIED
    from warpcore.bus.messages import ForgetItems, ItemsForgotten
    from warpcore.bus.portions import portions

    forgotten = refused = 0
    with remote.client(scheduler, control_port, key) as asking:
        for some in portions(names, MOST_RETRIED):
            reply = remote.ask(asking, ForgetItems(names=some, by=remote.asker()), ItemsForgotten)
            forgotten, refused = forgotten + reply.forgotten, refused + len(reply.refused)
            for one in reply.refused:
                output.fail(one["problem"])
    output.note(f"{counted(forgotten)} forgotten" if forgotten else "nothing is forgotten")
    if refused:
        raise CliError(f"{counted(refused)} refused")


def select(
    selection: Annotated[Selection, typer.Argument(help=in_words(Selection))],
    names: Names,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Keep movies or leave them out, whatever the filter says; auto leaves it to the filter."""
    from warpcore.bus.messages import SelectionChanged, SelectItems
    from warpcore.bus.portions import portions

    changed, undo = 0, ""
    with remote.client(scheduler, control_port, key) as asking:
        for some in portions(names):
            message = SelectItems(selection, names=some, undo=undo, by=remote.asker())
            reply = remote.ask(asking, message, SelectionChanged)
            changed, undo = changed + reply.changed, reply.undo
    if not changed:
        output.note(f"{selection} already: nothing is changed")
    else:
        output.note(f"{counted(changed)}: {selection} (`warpcore undo {undo}` takes it back)")


def undo(
    change: Annotated[str | None, typer.Argument(help="The number that `select` has told; default: the last.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Only list what can be taken back, newest first.")] = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Take a change of selections back: movies get their former choice, except those chosen anew since."""
    from warpcore.bus.messages import GetSelections, Selections

    with remote.client(scheduler, control_port, key) as asking:
        changes = remote.ask(asking, GetSelections(), Selections).changes
        if list_:
            titles = ["change", "selection", "movies", "at", "by"]
            rows = [[one.undo, one.selection, str(one.movies), local_time(one.at), one.by] for one in changes]
            output.rows(titles, rows)
        elif change is None and not changes:
            raise CliError("no change of selections can be taken back")
        else:
            _undo(asking, change if change is not None else changes[0].undo)


def _undo(asking: RequestClient, change: str) -> None:
    from warpcore.bus.messages import SelectionUndone, UndoSelection

    changed, kept, left = 0, 0, 1
    while left:
        reply = remote.ask(asking, UndoSelection(change), SelectionUndone)
        changed, kept, left = changed + reply.changed, kept + reply.kept, reply.left
    newer = f"; {counted(kept)} chosen anew since: left as they are" if kept else ""
    output.note(f"{counted(changed)} as before{newer}")


def _waiting(counts: dict[str, int]) -> int:
    return sum(counts.get(status, 0) for status in (*WAITING, MovieStatus.QUEUED))
