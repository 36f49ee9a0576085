"""`warpcore simulate`: movies with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from warpcore.cli import output
from warpcore.cli.errors import CliError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Without services")(simulate)


def _list_options(wanted: bool) -> None:
    if wanted:
        from warpcore.cli.simulation_options import table

        output.data(table())
        raise typer.Exit


def simulate(
    folder: Annotated[Path, typer.Argument(help="Where the movies go; the truth lies beside each as JSON.")],
    movies: Annotated[int, typer.Option("--movies", "-n", min=1, max=100_000, help="How many.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same movies.")] = 0,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="frames=40, width=2048, defocus_um=[1,2], structure=x.cif …"),
    ] = None,
    _options: Annotated[
        bool,
        typer.Option("--options", is_eager=True, callback=_list_options, help="List what --set takes, and exit."),
    ] = False,
) -> None:
    """Make movies with drift, CTF, particles of a real structure, counting noise, gain and bad pixels."""
    from warpcore.cli.simulation import simulate_movies
    from warpcore.cli.simulation_options import simulation_options

    try:
        options = simulation_options(assignments or [])
        with output.progress() as progress:
            bar = progress.add_task("simulating", total=movies)
            made = simulate_movies(
                folder, movies, options=options, seed=seed, on_movie=lambda index, path: progress.update(bar, advance=1)
            )
    except ValueError as error:
        raise CliError(str(error)) from None
    for movie in made:
        output.data(str(movie.path))
