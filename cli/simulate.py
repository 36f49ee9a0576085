"""`warpcore simulate`: movies with known truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.cli import output
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.cli.simulation import SimulatedMovie


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
    output.note(f"to process them: {_command(folder, made)}")


def _command(folder: Path, made: list[SimulatedMovie]) -> str:
    """The `warpcore up` with the settings that these movies need."""
    truth = made[0].truth
    settings = {
        "import.gain_path": str((folder / truth["gain"]).absolute()) if truth["gain"] else None,
        "import.dose_per_frame": truth["options"]["dose_per_frame"],
        "ctf.voltage": truth["options"]["voltage_kv"],
        "picking.diameter": round(truth["diameter_angstrom"]),
    }
    chosen = [f"--set {name}={value}" for name, value in settings.items() if value is not None]
    return " ".join(["warpcore up --data", str(folder), "--processing", f"{folder}_processed", *chosen])
