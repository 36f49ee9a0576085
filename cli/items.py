"""`warpcore items`: the movies and what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.cli import options as o
from warpcore.cli import output, remote
from warpcore.cli.errors import USAGE, CliError

if TYPE_CHECKING:
    from warpcore.bus.messages import Item, Movie
    from warpcore.services.steps import Column

MOST_WRAPPED = 500
"""Rows that a terminal gets as a wrapped table; more come as plain lines, which take a hundredth of the time."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Control")(items)


def items(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[[show] NAME…]", help="Only these movies, each with all values and its story."),
    ] = None,
    status: Annotated[MovieStatus | None, typer.Option(help="Only movies with this status.")] = None,
    sort: Annotated[
        str, typer.Option(help="added, name, status or a column such as ctf.defocus_um; - in front: descending.")
    ] = "added",
    last: Annotated[int | None, typer.Option(min=1, help="Only this many movies, those found last.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns to show, separated by commas, or all: defocus, ctf.ice_ring, junk …")
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values of all columns.")] = False,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """List movies with status and results."""
    from warpcore.bus.messages import GetItem, Item
    from warpcore.services.session.sorting import in_order, sortable

    if names and names[0] == "show" and len(names) > 1:
        names = names[1:]
    by = sort.removeprefix("-")
    if not sortable(by):
        if by == "all" or "," in by:
            raise CliError(f"--sort {sort!r}: name one column", USAGE)
        (column,) = chosen_columns(by, option="--sort")
        by = column.name
    chosen = chosen_columns(columns, everything=as_csv)
    if names and (as_csv or last or status or columns or sort != "added"):
        raise CliError("with names of movies, --csv, --last, --status, --sort and --columns have no meaning", USAGE)
    with remote.client(scheduler, control_port, key) as asking:
        if names:
            _show_stories([remote.ask(asking, GetItem(name), Item) for name in names], as_json)
            return
        movies = remote.last_movies(asking, last, status) if last else remote.all_movies(asking, status)
    movies = in_order(movies, by, descending=sort.startswith("-"))
    if as_json:
        output.as_json([movie.to_body() for movie in movies])
    elif as_csv:
        output.csv_rows(csv_table(movies, chosen))
    else:
        output.rows(*movie_rows(movies, chosen), wrapped=len(movies) <= MOST_WRAPPED)


def chosen_columns(text: str | None, *, everything: bool = False, option: str = "--columns") -> tuple[Column, ...]:
    """The columns that are named (by name, field, heading or noun), the main ones where none is. Raises CliError."""
    from warpcore.services.steps.chain import CHAIN

    if text == "all" or (text is None and everything):
        return CHAIN.columns
    if text is None:
        return tuple(column for column in CHAIN.columns if column.main)
    chosen = []
    for name in text.split(","):
        found = [one for one in CHAIN.columns if name.strip() in (one.name, one.field, one.heading, one.noun)]
        if not found:
            raise CliError(
                f"{option} {text!r}: there is no column {name.strip()!r}; there are {', '.join(_names())}", USAGE
            )
        chosen.append(found[0])
    return tuple(chosen)


def movie_rows(movies: list[Movie], columns: tuple[Column, ...]) -> tuple[list[str], list[list[str]]]:
    """Titles, and a row a movie: name, status, the columns, and what is wrong."""
    titles = ["movie", "status", *(column.title for column in columns), "why"]
    rows = [
        [movie.name, _status(movie), *(column.text(movie.results) for column in columns), reason(movie)]
        for movie in movies
    ]
    return titles, rows


def csv_table(movies: list[Movie], columns: tuple[Column, ...]) -> list[list[Any]]:
    """A header and a row a movie, with the columns' digits; what was not measured is empty."""
    header = ["movie", "path", "status", "selection", *(column.name for column in columns), "why"]
    rows = (
        [movie.name, movie.path, str(movie.status), str(movie.selection)]
        + [column.rounded(movie.results) for column in columns]
        + [reason(movie)]
        for movie in movies
    )
    return [header, *rows]


def reason(movie: Movie) -> str:
    """Why a movie failed or was filtered out, and what a step says against its own result, in one line."""
    if movie.failure is not None:
        return f"{movie.failure.step}: {movie.failure.message}"
    told = "; ".join(movie.filter_reasons)
    return "; ".join([*movie.filter_reasons, *(note for note in step_notes(movie.results) if note not in told)])


def step_notes(results: dict[str, Any]) -> list[str]:
    """Why a step found nothing, or what to know of what it found."""
    from warpcore.services.steps.chain import CHAIN

    notes = []
    for step in CHAIN:
        result = results.get(step.name) or {}
        failed = [column.failed for column in step.columns if column.failed]
        if result.get("failure") and failed:
            notes.append(f"{failed[0]}: {result['failure']}")
        notes += [f"{step.label}: {warning}" for warning in result.get("warnings") or []]
    return notes


def _names() -> list[str]:
    from warpcore.services.steps.chain import CHAIN

    return [column.name for column in CHAIN.columns]


def _status(movie: Movie) -> str:
    return movie.status if movie.selection == Selection.AUTO else f"{movie.status} ({movie.selection}d)"


def _show_stories(found: list[Item], as_json: bool) -> None:
    from warpcore.services.steps.chain import CHAIN

    if as_json:
        output.as_json([item.to_body() for item in found])
        return
    for item in found:
        movie = item.movie
        why = reason(movie)
        output.data(f"{movie.name}  {_status(movie)}" + (f"  {why}" if why else ""))
        for column in CHAIN.columns:
            if column.value(movie.results) is not None:
                value = f"{column.text(movie.results):>12} {column.unit:<7}"
                output.data(f"  {value} {column.name:<36} {column.description}")
        for one in item.resolved:
            value = "unknown" if one.value is None else f"{one.value:.6g}"
            notes = "; ".join(note for note in (one.source, one.conflict) if note)
            output.data(f"  {value:>12} {'':<7} {one.name:<36} {notes}")
        if item.waits_for:
            output.data(f"  waits: {item.waits_for}")
        for step, text in item.learnt.items():
            output.data(f"  {step} goes by {text}")
        for line in item.story:
            output.data(f"  {story_text(line)}")


def story_text(line: dict[str, Any]) -> str:
    """An event of a movie: `2026-11-26 13:38:40  queued → failed: … (ctf, lease 7 on host/1)`."""
    lease = line.get("lease")
    where = [line.get("step"), f"lease {lease} on {line.get('worker')}" if lease else ""]
    told = ", ".join(part for part in where if part)
    return f"{output.local_time(line['at'])}  {line['text']}" + (f"  ({told})" if told else "")
