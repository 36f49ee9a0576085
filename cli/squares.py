"""`warpcore squares`: how the movies of each square and hole are, and a map of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.cli import options as o
from warpcore.cli import output, remote
from warpcore.cli.errors import USAGE, CliError

if TYPE_CHECKING:
    from warpcore.services.api.mirror import Mirror
    from warpcore.services.api.mirror.catalogue import MovieColumn
    from warpcore.services.api.views import PlaceView, SquaresView


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Control")(squares)


def squares(
    holes: Annotated[bool, typer.Option("--holes", help="Each hole too.")] = False,
    map_file: Annotated[Path | None, typer.Option("--map", help="Draw a map of them into this PNG file.")] = None,
    colour: Annotated[
        str, typer.Option(help="Column that gives the map's dots their colours: resolution, place.off_target_um …")
    ] = "ctf.resolution_angstrom",
    square: Annotated[str | None, typer.Option(help="Map of this square alone, with its holes.")] = None,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """How the movies of each grid square are, by the microscope's metadata, with a verdict. It controls nothing."""
    import msgspec

    from warpcore.services.api.place.squares import NEEDED, squares_of

    column = _colour_column(colour)
    mirror = _mirrored(scheduler, control_port, key)
    view = squares_of(mirror.copied(NEEDED))
    if as_json:
        output.as_json(msgspec.to_builtins(view))
    elif not view.squares:
        output.note(f"no movie of {output.counted(view.without_square)} has a square in its metadata")
    else:
        output.rows(*table(view, holes=holes))
    if map_file is not None:
        _draw(mirror, column, square, map_file)


def table(view: SquaresView, *, holes: bool) -> tuple[list[str], list[list[str]]]:
    """Titles, and a row for each square, each followed by its holes where they are wanted."""
    titles = [
        "square",
        "hole",
        "movies",
        "good",
        "res. Å",
        "defocus µm",
        "off µm",
        "ice",
        "early step Å",
        "picks",
        "verdict",
    ]
    lines = []
    for one in view.squares:
        lines.append([one.square, "", *_cells(one)])
        lines += [["", hole.hole or "-", *_cells(hole)] for hole in one.holes if holes]
    return titles, lines


def _mirrored(scheduler: str, control_port: int, key: Path | None) -> Mirror:
    """The session's movies as the API keeps them, so that both say the same."""
    from warpcore.bus.follower import Reset
    from warpcore.services.api.mirror import Mirror

    with remote.client(scheduler, control_port, key) as asking:
        movies = remote.all_movies(asking)
    mirror = Mirror()
    mirror.take(Reset(0, "cli", movies, {}, 0, False))
    return mirror


def _colour_column(text: str) -> MovieColumn:
    from warpcore.cli.items import chosen_columns
    from warpcore.services.api.mirror.catalogue import COLUMNS
    from warpcore.services.api.views import camel

    named = COLUMNS.get(text) or COLUMNS.get(camel(chosen_columns(text, option="--colour")[0].name))
    if named is None:
        raise CliError(f"--colour {text!r}: name a column of words or numbers", USAGE)
    return named


def _cells(place: PlaceView) -> list[str]:
    found = place.medians
    good = "-" if place.good_share is None else f"{100 * place.good_share:.0f} %"
    numbers = (
        (found.resolution_angstrom, 1),
        (found.defocus_um, 2),
        (found.off_target_um, 2),
        (found.ice_thickness, 2),
        (found.early_step_angstrom, 2),
        (found.particles, 0),
    )
    shown = ["-" if value is None else f"{value:.{digits}f}" for value, digits in numbers]
    return [str(place.movies), good, *shown, place.advice]


def _draw(mirror: Mirror, column: MovieColumn, square: str | None, path: Path) -> None:
    from warpcore.services.api.place.mapping import map_of, needed

    png = map_of(mirror.copied(needed(column)), column, square, 1000, 800)
    if png is None:
        where = f" in square {square}" if square else ""
        raise CliError(f"no movie{where} has a stage position in its metadata; there is no map to draw")
    path.write_bytes(png)
    output.note(f"{path}: map by {column.name}")
