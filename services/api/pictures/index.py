"""What pictures and files there are of a movie."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from warpcore.bus.messages import Movie
from warpcore.services.api.pictures.files import movie_files, output_path, readable
from warpcore.services.api.views import File, Index, Picture
from warpcore.services.readers.mrc import parse_mrc_header
from warpcore.services.session.allowed import served_below
from warpcore.services.session.movie_generation import generation_of
from warpcore.services.session.opening import open_file, within
from warpcore.services.steps import ctf, export, motion, picking

_OUTPUTS = {
    "thumbnail": export.THUMBNAIL,
    "average": export.AVERAGE,
    "spectrum": ctf.SPECTRUM_PICTURE,
    "motion": motion.PICTURE,
    "picks": picking.OVERLAY,
    "junk": picking.MASK,
}


def movie_url(name: str) -> str:
    """The address of a movie."""
    return f"/api/items/{quote(name)}"


def index(movie: Movie, processing: Path) -> Index:
    """What is on disk now and can be had."""
    return Index(
        generation=generation_of(movie),
        pictures=list(pictures_of(movie, processing, movie_url(movie.name), generation_of(movie))),
        files=list(_files(movie, processing)),
    )


def pictures_of(movie: Movie, processing: Path, address: str, generation: int) -> Iterator[Picture]:
    """The pictures below this folder, each at an address below `address`."""
    for kind, output in _OUTPUTS.items():
        path = readable(processing, output_path(movie, output))
        size = None if path is None else _size(path, processing)
        if size is not None:
            url = f"{address}/picture/{kind}?generation={generation}"
            yield Picture(kind=kind, url=url, width=size[0], height=size[1])


def _size(path: Path, processing: Path) -> tuple[int, int] | None:
    """Width and height of a picture or an MRC; None where it cannot be read."""
    try:
        with within(served_below(processing)):
            if path.suffix == ".mrc":
                header = parse_mrc_header(path)
                return header.width, header.height
            with open_file(path) as file, Image.open(file) as picture:
                return picture.size
    except (OSError, ValueError):
        return None


def _files(movie: Movie, processing: Path) -> Iterator[File]:
    for file in movie_files(movie):
        path = readable(processing, file.path)
        if path is not None:
            url = f"{movie_url(movie.name)}/files/{quote(file.path)}"
            yield File(
                path=file.path,
                bytes=path.stat().st_size,
                step=file.step,
                description=_plain(file.description),
                url=url,
            )


def _plain(description: str) -> str:
    """A description without the links that it has in the documents."""
    return re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", re.sub(r" \(\[[^]]*\]\([^)]*\)\)", "", description))
