"""What each picture, and each document of data, is made of."""

from __future__ import annotations

from functools import partial

from warpcore.bus.messages import Movie
from warpcore.services.api.operations import JSON
from warpcore.services.api.pictures import documents, images
from warpcore.services.api.pictures.files import output_path
from warpcore.services.api.pictures.queries import (
    AverageQuery,
    SpectrumHalf,
    SpectrumQuery,
    ThumbnailQuery,
    average_view,
)
from warpcore.services.api.pictures.sending import Part
from warpcore.services.api.views import HandPicks
from warpcore.services.steps import ctf, export, motion, picking
from warpcore.services.steps.step import Output

JPEG, PNG = "image/jpeg", "image/png"


def thumbnail(movie: Movie, query: ThumbnailQuery) -> Part:
    """The stored thumbnail, smaller."""
    render = partial(images.thumbnail_jpeg, longest_px=query.size)
    return Part(output_path(movie, export.THUMBNAIL), JPEG, render, f"thumbnail {query.size}")


def average(movie: Movie, query: AverageQuery) -> Part:
    """A part of the average. Raises Problem where there is none."""
    view = average_view(movie, query)
    return Part(output_path(movie, export.AVERAGE), JPEG, partial(images.average_jpeg, view=view), repr(view))


def spectrum(movie: Movie, query: SpectrumQuery) -> Part:
    """The stored picture of the spectrum, or one half of it."""
    if query.half is SpectrumHalf.BOTH:
        return stored(movie, ctf.SPECTRUM_PICTURE)
    render = partial(images.spectrum_png, fit=query.half is SpectrumHalf.FIT)
    return Part(output_path(movie, ctf.SPECTRUM), PNG, render, f"spectrum {query.half}")


def junk(movie: Movie) -> Part:
    """The junk mask, to lie over the average."""
    return Part(output_path(movie, picking.MASK), PNG, images.junk_png, "junk")


def stored(movie: Movie, output: Output) -> Part:
    """A picture as it lies on disk."""
    return Part(output_path(movie, output), PNG, documents.content)


def curves(movie: Movie) -> Part:
    """The CTF's curves."""
    return Part(output_path(movie, ctf.FIT), JSON, documents.curves, "curves")


def tracks(movie: Movie) -> Part:
    """The tracks of motion."""
    measured = documents.Measured.of(movie)
    render = partial(documents.tracks, measured=measured)
    return Part(output_path(movie, motion.MODEL), JSON, render, f"tracks {measured}")


def candidates(movie: Movie, hand: HandPicks) -> Part:
    """What the picker found, and a person's edits of it."""
    picked = documents.Picked.of(movie, hand)
    return Part(output_path(movie, picking.CANDIDATES), JSON, partial(documents.picks, picked=picked), repr(picked))
