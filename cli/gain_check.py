"""`warpcore gain-check`: which orientation of a gain reference belongs to movies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from warpcore.kernels.image import GainMatches, Orientation
    from warpcore.services.readers.gain import Gain


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("gain-check", rich_help_panel="Without services")(gain_check)


def gain_check(
    movies: Annotated[
        list[str], typer.Argument(help="Raw movies: files, folders or quoted patterns.", metavar="MOVIES…")
    ],
    gain: Annotated[Path, typer.Argument(help="The gain reference: .mrc, .tif, .gain, .dm4.")],
    as_json: o.AsJson = False,
) -> None:
    """Tell in which of eight orientations a gain removes the movies' fixed pattern; ends in 1 where none is clear."""
    from warpcore.services.worker.gain_watch import MOST_MOVIES

    reference: Gain | None = None
    total: npt.NDArray[np.float32] | None = None
    matches: GainMatches | None = None
    used = 0
    for path in _files(movies, gain):
        try:
            counts, is_eer = _counts(path)
        except (ValueError, OSError) as error:
            output.note(f"left out: {error}")
            continue
        if reference is None:
            reference, orientation = _reference(gain, counts.shape, is_eer)
        elif total is not None and counts.shape != total.shape:
            sizes = [f"{width} × {height} px" for height, width in (counts.shape, total.shape)]
            output.note(f"left out: {path}: it is {sizes[0]}, the first {sizes[1]}")
            continue
        total = counts if total is None else total + counts
        used += 1
        matches = _matches(total, reference, orientation, path)
        if matches.verdict != "faint" or used == MOST_MOVIES:
            break
    if matches is None or reference is None:
        raise CliError(f"none of these movies can be read: {', '.join(movies)}")
    _report(matches, reference, is_eer, used, as_json)


def _files(given: list[str], gain: Path) -> list[Path]:
    """The movies, without the gain where it lies among them. Raises CliError for a name that matches nothing."""
    import glob

    from warpcore.services.session.named_files import NamedFiles
    from warpcore.services.session.settings import ImportSettings

    reference = NamedFiles([gain])
    found: list[Path] = []
    for name in given:
        path = Path(name)
        if path.is_dir():
            matching = sorted({file for pattern in ImportSettings().patterns for file in path.glob(pattern)})
        elif path.exists():
            matching = [path]
        else:
            matching = sorted(Path(file) for file in glob.glob(name, recursive=True))
        if not matching:
            raise CliError(f"{name}: no movies there")
        found += [file for file in matching if not reference.have(file)]
    return _movies_alone(found)


def _movies_alone(files: list[Path]) -> list[Path]:
    """The files without single images, which may be averages, where others have several frames."""
    from warpcore.services.readers.containers import ContainerError, check_container
    from warpcore.services.session.errors import InputError

    lone: set[Path] = set()
    for path in files:
        try:
            if check_container(path).frames == 1:
                lone.add(path)
        except (ContainerError, InputError, OSError):
            continue  # it is said why when it is read
    movies = [path for path in files if path not in lone]
    if not movies:
        return files
    for path in sorted(lone)[:_MOST_TOLD]:
        output.note(f"left out: {path}: one frame beside movies is no raw movie, more likely a gain or an average")
    if len(lone) > _MOST_TOLD:
        output.note(f"left out: {len(lone) - _MOST_TOLD} more single images")
    return movies


def _counts(path: Path) -> tuple[npt.NDArray[np.float32], bool]:
    """A movie's raw counts summed over frames [H, W], EERs at their camera's own pixels. Raises InputError, OSError."""
    import numpy as np

    from warpcore.services.readers.movies import InputError, read_movie
    from warpcore.services.readers.reference_images import fault_as_raw
    from warpcore.services.session.settings import ImportSettings

    movie = read_movie(path, ImportSettings(eer_groups=1))
    if fault := fault_as_raw(movie):
        raise InputError(f"{path}: {fault}")
    total = np.zeros(movie.frames.shape[1:], np.float32)
    for frame in movie.frames:
        total += frame
    return total, movie.is_eer


def _reference(path: Path, shape: tuple[int, ...], is_eer: bool) -> tuple[Gain, Orientation]:
    """The gain as in its file, transposed where it fits only so, and which orientation that is. Raises CliError."""
    from warpcore.kernels.image import Orientation
    from warpcore.services.readers.gain import read_gain
    from warpcore.services.session.errors import InputError
    from warpcore.services.session.settings import ImportSettings

    misfit: InputError | None = None
    for transpose in (False, True):
        settings = ImportSettings(gain_path=str(path), gain_transpose=transpose)
        try:
            gain = read_gain(settings, (shape[0], shape[1]), is_eer)
        except InputError as error:
            misfit = misfit or error
            continue
        assert gain is not None
        return gain, Orientation(False, False, transpose)
    raise CliError(str(misfit).removeprefix("import.gain_path = "))


def _matches(total: npt.NDArray[np.float32], gain: Gain, orientation: Orientation, path: Path) -> GainMatches:
    from warpcore.services.worker.gain_watch import match_unturned

    try:
        return match_unturned(total, gain, orientation)
    except ValueError as error:
        raise CliError(f"{path}: {error}") from None


def _report(matches: GainMatches, gain: Gain, is_eer: bool, used: int, as_json: bool) -> None:
    from rich.table import Table

    if as_json:
        output.as_json(_document(matches, used))
    else:
        table = Table(box=None, pad_edge=False)
        for name in (*_NAMES, "pattern found", "± error"):
            table.add_column(name, justify="right" if name not in _NAMES else "left")
        table.add_column("")
        for match in matches.matches:
            words = [str(value).lower() for value in _values(match.orientation).values()]
            mark = "← fits" if matches.verdict == "found" and match.orientation == matches.best else ""
            table.add_row(*words, f"{match.share:.3f}", f"{match.error:.3f}", mark)
        output.table(table)
        pattern = f"the gain's pattern is {100 * matches.pattern:.2g} %"
        output.data(f"{output.counted(used)}, {matches.counts:.3g} counts a pixel; {pattern}")
    _conclude(matches, gain, is_eer, as_json)


def _conclude(matches: GainMatches, gain: Gain, is_eer: bool, as_json: bool) -> None:
    """One line that says what to do: on stdout (stderr beside JSON) where a gain fits, else as the command's error."""
    from warpcore.services.worker.gain_watch import inverse, pedestal, setting_words

    name, best = gain.path, matches.best
    if matches.verdict == "found":
        assert best is not None
        fits = "turned" if any(_values(best).values()) else "as it is"
        (output.note if as_json else output.data)(f"{name} fits {fits}: {setting_words(best)}")
        return
    strongest = max((abs(match.share) for match in matches.matches), default=0.0)
    alike = " or ".join(setting_words(orientation) for orientation in matches.alike)
    pattern = f"{100 * matches.pattern:.2g} %"
    reasons = {
        "flat": f"the gain has no pattern of its own ({pattern}), so that every orientation does the same",
        "faint": f"too few counts ({matches.counts:.3g} a pixel) for a pattern of {pattern}; give more movies",
        "absent": f"the movies show its pattern in no orientation (at most {strongest:.2f} of it): "
        "it was applied already, or it is another camera's or mode's",
        "same": f"the gain looks the same in these: {alike}",
        "inverse": f"the movies show the inverse of its pattern with {alike}: {inverse(gain, is_eer)}",
    }
    if matches.verdict == "pedestal":
        raise CliError(f"{name}: {pedestal(matches)}")
    raise CliError(f"{name}: {'' if matches.verdict == 'inverse' else 'cannot tell: '}{reasons[matches.verdict]}")


_MOST_TOLD = 5
_NAMES = ("import.gain_flip_x", "import.gain_flip_y", "import.gain_transpose")


def _values(orientation: Orientation) -> dict[str, bool]:
    return dict(zip(_NAMES, (orientation.flip_x, orientation.flip_y, orientation.transpose), strict=True))


def _document(matches: GainMatches, used: int) -> dict[str, Any]:
    """The whole answer as JSON; a figure that could not be measured is null."""
    return {
        "verdict": matches.verdict,
        "best": None if matches.best is None else _values(matches.best),
        "alike": [_values(orientation) for orientation in matches.alike],
        "movies": used,
        "counts_per_pixel": matches.counts,
        "pattern": matches.pattern,
        "orientations": [
            {**_values(match.orientation), "share": match.share, "error": match.error if match.error < 1e9 else None}
            for match in matches.matches
        ],
    }
