"""Raw movies of every format, told by the extension of their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from warpcore.services.process.threads import available_threads
from warpcore.services.readers.buffers import Allocator, new_buffer
from warpcore.services.readers.eer import read_eer_header, read_eer_movie
from warpcore.services.readers.mrc import read_mrc_header, read_mrc_movie
from warpcore.services.readers.offset_counts import with_offset_added
from warpcore.services.readers.raw import Decoding, MovieHeader, RawMovie
from warpcore.services.readers.tiff import read_tiff_header, read_tiff_movie
from warpcore.services.session.errors import InputError
from warpcore.services.session.pixel_size import header_doubt, unknown_pixel
from warpcore.services.session.settings import ImportSettings

__all__ = [
    "InputError",
    "MovieHeader",
    "RawMovie",
    "pixel_size_angstrom",
    "read_header",
    "read_movie",
]

T = TypeVar("T")

_MOVIES: dict[str, Callable[[Path, ImportSettings, Decoding], RawMovie]] = {
    ".tif": read_tiff_movie,
    ".tiff": read_tiff_movie,
    ".mrc": read_mrc_movie,
    ".mrcs": read_mrc_movie,
    ".eer": read_eer_movie,
}
_HEADERS: dict[str, Callable[[Path, ImportSettings], MovieHeader]] = {
    ".tif": read_tiff_header,
    ".tiff": read_tiff_header,
    ".mrc": read_mrc_header,
    ".mrcs": read_mrc_header,
    ".eer": read_eer_header,
}


def read_movie(
    path: Path,
    settings: ImportSettings,
    *,
    threads: int | None = None,
    allocate: Allocator = new_buffer,
    keep_packed: bool = False,
) -> RawMovie:
    """Decode a movie to frames [F, H, W]: without skipped frames, TIFFs flipped in Y, EERs grouped and upsampled.

    No gain is applied; int16 counts that were stored less 32 768 become uint16. Peak memory is the decoded stack and
    less than a quarter of it more (one frame more for movies of one to three frames). `threads`: None for as many as
    this process may use. `allocate` gives the memory of the frames, for example `BufferPool.take`: then
    `RawMovie.release` gives it back. `keep_packed` leaves two pixels in a byte where the file has them so. Raises
    InputError where the file is no whole movie, OSError where it cannot be opened, MemoryError.
    """
    how = Decoding(threads or available_threads(), allocate, keep_packed)
    movie = _by_extension(_MOVIES, path)(path, settings, how)
    try:
        return with_offset_added(movie, how.threads)
    except InputError:
        movie.release()
        raise


def read_header(path: Path, settings: ImportSettings) -> MovieHeader:
    """What `read_movie` would return, without decoding; of counts stored less 32 768 the type is int16.

    Raises InputError and OSError as it does.
    """
    return _by_extension(_HEADERS, path)(path, settings)


def pixel_size_angstrom(raw: RawMovie, settings: ImportSettings) -> float:
    """Å per pixel of the frames as read: the setting where given, else the header's where that can be believed.

    The setting is that of the camera's physical pixel, which EERs may divide. Raises InputError where neither is known.
    """
    upsampling = settings.eer_upsampling if raw.is_eer else 1
    if settings.pixel_size is not None:
        return settings.pixel_size / upsampling
    told = raw.pixel_size_angstrom
    if told is None or header_doubt(told * upsampling):
        raise InputError(f"{raw.path}: {unknown_pixel(told and told * upsampling)}")
    return told


def _by_extension(table: dict[str, T], path: Path) -> T:
    try:
        return table[path.suffix.lower()]
    except KeyError:
        raise InputError(f"{path}: not a known movie format; known are {', '.join(sorted(table))}") from None
