"""The parts of a movie that can be asked for, each made from one output file by one function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from falcon.asgi import Request

from warpcore.bus.messages import Movie
from warpcore.services.api.parameters import integer, only_parameters, parameter_word, text
from warpcore.services.api.pictures import documents, images
from warpcore.services.api.pictures.asking import SpectrumHalf, average_view
from warpcore.services.api.pictures.files import output_path
from warpcore.services.steps import ctf, export, motion, picking
from warpcore.services.steps.step import Output

JPEG, PNG = "image/jpeg", "image/png"
JSON = "application/json"
THUMBNAIL_PX, LARGEST_THUMBNAIL_PX = 256, 512


@dataclass(frozen=True, slots=True)
class Part:
    """What to make: from the file `path` (relative to the processing directory), by `render`, of type `content_type`.

    `key` tells apart what is made from one file in different ways.
    """

    path: str
    content_type: str
    render: Callable[[Path], bytes]
    key: str = ""


Asked = Callable[[Movie, Request], Part]


def _thumbnail(movie: Movie, req: Request) -> Part:
    only_parameters(req, "generation", "size")
    size = integer(req, "size", THUMBNAIL_PX, 16, LARGEST_THUMBNAIL_PX)
    render = partial(images.thumbnail_jpeg, longest_px=size)
    return Part(output_path(movie, export.THUMBNAIL), JPEG, render, f"thumbnail {size}")


def _average(movie: Movie, req: Request) -> Part:
    view = average_view(movie, req)
    return Part(output_path(movie, export.AVERAGE), JPEG, partial(images.average_jpeg, view=view), repr(view))


def _spectrum(movie: Movie, req: Request) -> Part:
    only_parameters(req, "generation", "half")
    half = parameter_word(SpectrumHalf, "half", text(req, "half", SpectrumHalf.BOTH))
    if half is SpectrumHalf.BOTH:
        return _stored(movie, ctf.SPECTRUM_PICTURE)
    render = partial(images.spectrum_png, fit=half is SpectrumHalf.FIT)
    return Part(output_path(movie, ctf.SPECTRUM), PNG, render, f"spectrum {half}")


def _junk(movie: Movie, req: Request) -> Part:
    only_parameters(req, "generation")
    return Part(output_path(movie, picking.MASK), PNG, images.junk_png, "junk")


def _motion(movie: Movie, req: Request) -> Part:
    only_parameters(req, "generation")
    return _stored(movie, motion.PICTURE)


def _picks(movie: Movie, req: Request) -> Part:
    only_parameters(req, "generation")
    return _stored(movie, picking.OVERLAY)


def _stored(movie: Movie, output: Output) -> Part:
    """A picture as it lies on disk."""
    return Part(output_path(movie, output), PNG, Path.read_bytes)


PICTURES: Mapping[str, Asked] = {
    "thumbnail": _thumbnail,
    "average": _average,
    "spectrum": _spectrum,
    "motion": _motion,
    "picks": _picks,
    "junk": _junk,
}
"""Kinds of pictures: `…/picture/KIND`."""


def _curves(movie: Movie, req: Request) -> Part:
    only_parameters(req, "generation")
    return Part(output_path(movie, ctf.FIT), JSON, documents.curves, "curves")


def _tracks(movie: Movie, req: Request) -> Part:
    only_parameters(req, "generation")
    measured = documents.Measured.of(movie)
    render = partial(documents.tracks, measured=measured)
    return Part(output_path(movie, motion.MODEL), JSON, render, f"tracks {measured}")


def candidates(movie: Movie, req: Request, hand: documents.HandPicks) -> Part:
    """`…/picks`: what the picker found, and a person's edits of it."""
    only_parameters(req, "generation")
    picked = documents.Picked.of(movie, hand)
    return Part(output_path(movie, picking.CANDIDATES), JSON, partial(documents.picks, picked=picked), repr(picked))


DOCUMENTS: Mapping[str, Asked] = {"curves": _curves, "tracks": _tracks}
"""Data as JSON: `…/curves`, `…/tracks`."""
