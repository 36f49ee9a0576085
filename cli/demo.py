"""`warpcore demo`: simulates movies, processes them with all services, and compares."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.vocabulary import ENDED, MovieStatus, Role
from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.bus.messages import Movie
    from warpcore.cli.overview import Overview
    from warpcore.cli.plan import SessionOptions
    from warpcore.cli.simulation import SimulatedMovie


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Start here")(demo)


def demo(
    movies: Annotated[int, typer.Option("--movies", "-n", min=1, max=10_000, help="How many movies.")] = 8,
    folder: Annotated[Path, typer.Option("--folder", help="For movies and results; created where missing.")] = Path(
        "warpcore-demo"
    ),
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="How many workers.")] = 2,
    port: o.Port = 5000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed makes the same movies.")] = 0,
    stay: Annotated[bool, typer.Option("--stay", help="Keep the live page up afterwards, until Ctrl-C.")] = False,
) -> None:
    """Simulate movies, process them with all services, and show found values beside simulated ones."""

    from warpcore.cli.comparison import compare, comparison_table
    from warpcore.cli.own_session import signing_in

    made = _simulated(folder / "movies", movies, seed)
    session = _session(folder, workers, port, made)
    link = signing_in(session, _page(session))
    output.note(f"live page: {link}")
    processed = _processed(session, made, stay)
    failed = [movie for movie in processed if movie.status == MovieStatus.FAILED]
    truths = {movie.path.name: movie.truth for movie in made}
    output.table(comparison_table([compare(movie, truths[movie.path], session.processing) for movie in processed]))
    output.data(f"movies in {session.data}, results in {session.processing}")
    output.data(f"the page was at {_page(session)}; to open it again: {_again(session)}")
    if len(processed) < len(made):
        raise CliError(f"interrupted: {len(processed)} of {len(made)} movies were done")
    if failed:
        reasons = (f"{movie.name}: {movie.failure.message if movie.failure else ''}" for movie in failed)
        raise CliError("\n".join([*reasons, f"{len(failed)} of {len(made)} movies failed"]))


def _simulated(folder: Path, count: int, seed: int) -> list[SimulatedMovie]:

    from warpcore.cli.simulation import simulate_movies
    from warpcore.cli.simulation_options import SimulationOptions

    output.note(f"simulating {output.counted(count)} in {folder}")
    with output.progress() as progress:
        bar = progress.add_task("simulating", total=count)
        return simulate_movies(
            folder,
            count,
            options=SimulationOptions(),
            seed=seed,
            on_movie=lambda index, path: progress.update(bar, advance=1),
        )


def _session(folder: Path, workers: int, port: int, made: list[SimulatedMovie]) -> SessionOptions:
    """The session that `warpcore up` would run, at the usual ports where they are free."""
    import json

    from warpcore.cli import preflight
    from warpcore.cli.errors import CONFIGURATION
    from warpcore.cli.own_keys import with_keys
    from warpcore.cli.plan import Ports, SessionOptions
    from warpcore.cli.up import session_faults, with_devices
    from warpcore.services.access.places import Access

    truth = made[0].truth
    simulated = truth["options"]
    settings = {
        "import.patterns": ["*.tif", "*.tiff"],
        "import.gain_path": str((folder / "movies" / truth["gain"]).absolute()) if truth["gain"] else None,
        "import.dose_per_frame": simulated["dose_per_frame"],
        "ctf.voltage": simulated["voltage_kv"],
        "ctf.cs": simulated["cs_mm"],
        "ctf.amplitude_contrast": simulated["amplitude_contrast"],
        "picking.diameter": round(truth["diameter_angstrom"]),
    }
    ports = Ports(*preflight.usable_ports("127.0.0.1", Ports(rest=port).by_option()))
    options = SessionOptions(
        data=(folder / "movies").absolute(),
        processing=(folder / "results").absolute(),
        ports=ports,
        assignments=tuple(f"{name}={json.dumps(value)}" for name, value in settings.items()),
        paused=False,
        incubation_s=0.5,
        scan_interval_s=1.0,
        access=Access.of(None, folder / "results").folder,
    )
    options = with_devices(options, workers)
    faults = session_faults(options)
    if faults:
        raise CliError("\n".join(faults), CONFIGURATION)
    return with_keys(options)


def _processed(session: SessionOptions, made: list[SimulatedMovie], stay: bool) -> list[Movie]:
    """Run the session until all movies are done or, with `stay` or before, the user ends it. Returns those done."""
    from rich.console import Console

    from warpcore.bus.endpoints import Endpoints
    from warpcore.cli import remote
    from warpcore.cli.own_keys import at_hand, operator_key
    from warpcore.cli.plan import session_services
    from warpcore.cli.running import run_session
    from warpcore.cli.screens import screen_for
    from warpcore.cli.up import logs_of

    ports = session.ports
    endpoints = Endpoints("127.0.0.1", ports.controller, ports.control, ports.events_in, ports.events_out)
    # Results of an earlier run in this folder do not count: size and time must be those of the new files.
    wanted = {movie.path.name: (movie.path.stat().st_size, movie.path.stat().st_mtime_ns) for movie in made}
    done: list[Movie] = []

    def all_done(overview: Overview) -> bool:
        if len(done) == len(wanted) or overview.done < len(wanted):
            return False
        with remote.client(endpoints.host, endpoints.control_port, session.keys.get(Role.OPERATOR)) as asking:
            movies = sorted(remote.all_movies(asking), key=lambda movie: movie.name)
        done[:] = [
            movie
            for movie in movies
            if movie.status in ENDED and wanted.get(movie.path) == (movie.size, movie.mtime_ns)
        ]
        return len(done) == len(wanted) and not stay

    ready = f"page at {_page(session)}, results in {session.processing}; Ctrl-C ends"
    screen, logs = screen_for(Console(stderr=True)), logs_of(session.processing)
    with at_hand(session, _page(session)) as session:
        services = session_services(session)
        run_session(services, logs, endpoints, screen, ready, all_done, operator_key(session))
    return done


def _page(session: SessionOptions) -> str:
    return f"http://127.0.0.1:{session.ports.rest}"


def _again(session: SessionOptions) -> str:
    import shlex

    return shlex.join(["warpcore", "up", "--data", str(session.data), "--processing", str(session.processing)])
