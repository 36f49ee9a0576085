"""`warpcore simulate`: movies with known truth."""

from __future__ import annotations

import shlex
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
    epu: Annotated[
        str | None,
        typer.Option(
            metavar="SQUARESxHOLESxSIDE",
            help="A session as EPU writes it: 2x4x5 has 2 squares of 4 holes with 5 x 5 beam shifts, so 200 movies.",
        ),
    ] = None,
    _options: Annotated[
        bool,
        typer.Option("--options", is_eager=True, callback=_list_options, help="List what --set takes, and exit."),
    ] = False,
) -> None:
    """Make movies with drift, CTF, particles of a real structure, counting noise, gain and bad pixels."""
    from warpcore.cli.simulation import simulate_movies
    from warpcore.cli.simulation_epu import epu_layout, simulate_epu
    from warpcore.cli.simulation_options import simulation_options

    layout = None if epu is None else epu_layout(epu)
    try:
        options = simulation_options(assignments or [])
        with output.progress() as progress:
            bar = progress.add_task("simulating", total=movies if layout is None else layout.movies)

            def advance(index: int, path: Path) -> None:
                progress.update(bar, advance=1)

            if layout is None:
                made = simulate_movies(folder, movies, options=options, seed=seed, on_movie=advance)
            else:
                made = simulate_epu(folder, layout, options=options, seed=seed, on_movie=advance)
    except ValueError as error:
        raise CliError(str(error)) from None
    for movie in made:
        output.data(str(movie.path))
    output.note(f"to process them: {_command(folder, made, has_metadata=layout is not None)}")


def _command(folder: Path, made: list[SimulatedMovie], *, has_metadata: bool) -> str:
    """The `warpcore up` with the settings that these movies need: metadata tell dose and voltage."""
    truth = made[0].truth
    settings = {
        "import.gain_path": str((folder / truth["gain"]).absolute()) if truth["gain"] else None,
        "import.dose_per_frame": None if has_metadata else truth["options"]["dose_per_frame"],
        "ctf.voltage": None if has_metadata else truth["options"]["voltage_kv"],
        "picking.diameter": round(truth["diameter_angstrom"]),
    }
    chosen = [word for name, value in settings.items() if value is not None for word in ("--set", f"{name}={value}")]
    return shlex.join(["warpcore", "up", "--data", str(folder), "--processing", f"{folder}_processed", *chosen])
