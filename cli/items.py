"""`warpcore items`: the movies and what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from warpcore.cli import options as o
from warpcore.cli import output, remote

if TYPE_CHECKING:
    from rich.table import Table

    from warpcore.bus.messages import Movie


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Control")(items)


def items(
    names: Annotated[list[str] | None, typer.Argument(help="Only these movies, with their story.")] = None,
    status: Annotated[str | None, typer.Option(help="Only those: failed, processed, outdated …")] = None,
    sort: Annotated[
        str, typer.Option(help="name, added, status or ctf.defocus_um …; - in front: descending.")
    ] = "added",
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
) -> None:
    """List movies with status and results."""
    from warpcore.bus.messages import GetItem, Item

    with remote.client(scheduler, control_port) as asking:
        if names:
            found = [remote.ask(asking, GetItem(name), Item) for name in names]
            _show_stories(found, as_json)
            return
        movies = remote.all_movies(asking, status, sort)
    if as_json:
        output.as_json([movie.to_body() for movie in movies])
        return
    output.table(items_table(movies))


def items_table(movies: list[Movie]) -> Table:
    """One row a movie: status, defocus, resolution, motion, particles, and what is wrong."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("movie", overflow="fold")
    table.add_column("status")
    for title in ("defocus µm", "astig. µm", "res. Å", "motion Å", "particles"):
        table.add_column(title, justify="right")
    table.add_column("why", overflow="fold")
    for movie in movies:
        table.add_row(movie.name, _status(movie), *measured(movie.results), reason(movie))
    return table


def measured(results: dict[str, Any]) -> list[str]:
    """Defocus, astigmatism, resolution, accumulated motion, particles as text, `-` for what was not measured."""
    ctf, motion, picking = (results.get(step) or {} for step in ("ctf", "motion", "picking"))
    return [
        _number(ctf.get("defocus_um"), 3),
        _number(ctf.get("defocus_delta_um"), 3),
        _number(ctf.get("resolution_angstrom"), 1),
        _number(motion.get("accumulated_total_angstrom"), 1),
        _number(picking.get("count"), 0),
    ]


def reason(movie: Movie) -> str:
    """Why a movie failed or was filtered out, and what its CTF fit says against itself, in one line."""
    if movie.failure is not None:
        return f"{movie.failure.step}: {movie.failure.message}"
    told = "; ".join(movie.filter_reasons)
    return "; ".join([*movie.filter_reasons, *(note for note in ctf_notes(movie.results) if note not in told)])


def ctf_notes(results: dict[str, Any]) -> list[str]:
    """Why there is no CTF fit, or what to know of the one there is."""
    ctf = results.get("ctf") or {}
    failure = [f"no CTF fit: {ctf['failure']}"] if ctf.get("failure") else []
    return [*failure, *(f"CTF: {warning}" for warning in ctf.get("warnings") or [])]


def _status(movie: Movie) -> str:
    return movie.status if movie.selection == "auto" else f"{movie.status} ({movie.selection}d)"


def _number(value: Any, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else "-"


def _show_stories(found: list[Any], as_json: bool) -> None:
    if as_json:
        output.as_json([item.to_body() for item in found])
        return
    for item in found:
        output.table(items_table([item.movie]))
        for row in item.story:
            output.data(f"  {row.get('seq', '')}  {row.get('text', '')}")
