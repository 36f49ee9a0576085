"""The parts of a movie that can be asked for, each made from one output file by one function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from warpcore.bus.messages import Movie
from warpcore.services.api.operations import JSON
from warpcore.services.api.pictures import documents, images
from warpcore.services.api.pictures.files import output_path
from warpcore.services.api.pictures.queries import (
    AverageQuery,
    PartQuery,
    SpectrumHalf,
    SpectrumQuery,
    ThumbnailQuery,
    average_view,
)
from warpcore.services.api.views import HandPicksView
from warpcore.services.steps import ctf, export, motion, picking
from warpcore.services.steps.step import Output

JPEG, PNG = "image/jpeg", "image/png"


@dataclass(frozen=True, slots=True)
class Part:
    """What to make: from the file `path` (relative to the processing directory), by `render`, of type `content_type`.

    `key` tells apart what is made from one file in different ways.
    """

    path: str
    content_type: str
    render: Callable[[Path], bytes]
    key: str = ""


def thumbnail(movie: Movie, query: ThumbnailQuery) -> Part:
    """The average, small."""
    render = partial(images.thumbnail_jpeg, longest_px=query.size)
    return Part(output_path(movie, export.THUMBNAIL), JPEG, render, f"thumbnail {query.size}")


def average(movie: Movie, query: AverageQuery) -> Part:
    """The average, or a part of it."""
    view = average_view(movie, query)
    return Part(output_path(movie, export.AVERAGE), JPEG, partial(images.average_jpeg, view=view), repr(view))


def spectrum(movie: Movie, query: SpectrumQuery) -> Part:
    """The power spectrum with its fit."""
    if query.half is SpectrumHalf.BOTH:
        return _stored(movie, ctf.SPECTRUM_PICTURE)
    render = partial(images.spectrum_png, fit=query.half is SpectrumHalf.FIT)
    return Part(output_path(movie, ctf.SPECTRUM), PNG, render, f"spectrum {query.half}")


def junk(movie: Movie, query: PartQuery) -> Part:
    """The junk mask."""
    return Part(output_path(movie, picking.MASK), PNG, images.junk_png, "junk")


def tracks_picture(movie: Movie, query: PartQuery) -> Part:
    """The stored picture of the tracks."""
    return _stored(movie, motion.PICTURE)


def picks_picture(movie: Movie, query: PartQuery) -> Part:
    """The stored picture of the picks."""
    return _stored(movie, picking.OVERLAY)


def curves(movie: Movie, query: PartQuery) -> Part:
    """The CTF in one dimension."""
    return Part(output_path(movie, ctf.FIT), JSON, documents.curves, "curves")


def tracks(movie: Movie, query: PartQuery) -> Part:
    """Motion, frame by frame."""
    measured = documents.Measured.of(movie)
    render = partial(documents.tracks, measured=measured)
    return Part(output_path(movie, motion.MODEL), JSON, render, f"tracks {measured}")


def candidates(movie: Movie, query: PartQuery, hand: HandPicksView) -> Part:
    """What the picker found, and a person's edits of it."""
    picked = documents.Picked.of(movie, hand)
    return Part(output_path(movie, picking.CANDIDATES), JSON, partial(documents.picks, picked=picked), repr(picked))


def _stored(movie: Movie, output: Output) -> Part:
    """A picture as it lies on disk."""
    return Part(output_path(movie, output), PNG, Path.read_bytes)
