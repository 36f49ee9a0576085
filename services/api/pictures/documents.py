"""A movie's curves, tracks and picks as JSON for plots, from the files that steps wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from warpcore.bus.messages import Movie
from warpcore.services.api.views import CtfFit, Curves, DefocusSurface, HandPicks, Picks, Tracks
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import open_file
from warpcore.services.steps import picking
from warpcore.services.steps.step import INPUT


class Measured(msgspec.Struct, frozen=True):
    """What the summary knows of the field and of motion."""

    width_angstrom: float
    height_angstrom: float
    skipped: bool

    @staticmethod
    def of(movie: Movie) -> Measured:
        """From a movie's results; sizes are 0 where they are not known."""
        known, motion = movie.results.get(INPUT) or {}, movie.results.get("motion") or {}
        pixel = known.get("raw_pixel_size_angstrom") or 0.0
        width, height = (pixel * (known.get(name) or 0) for name in ("raw_width", "raw_height"))
        return Measured(width, height, bool(motion.get("skipped")))


class Picked(msgspec.Struct, frozen=True):
    """What is known of picking without the candidates' file."""

    width: int
    height: int
    pixel_size_angstrom: float
    diameter_angstrom: float | None
    threshold: float
    certainty: float | None
    uncertain: bool
    method: str
    count: int
    hand: HandPicks

    @staticmethod
    def of(movie: Movie, hand: HandPicks) -> Picked:
        """From a movie's results, and a person's edits."""
        known, found = movie.results.get(INPUT) or {}, movie.results.get("picking") or {}
        certainty = found.get("certainty")
        return Picked(
            width=known.get("width", 0),
            height=known.get("height", 0),
            pixel_size_angstrom=known.get("pixel_size_angstrom", 0.0),
            diameter_angstrom=found.get("diameter_angstrom"),
            threshold=found.get("threshold", 0.0),
            certainty=certainty,
            uncertain=certainty is not None and certainty < picking.CERTAIN,
            method=found.get("method", ""),
            count=found.get("count", 0),
            hand=hand,
        )


def curves(path: Path) -> bytes:
    """`Curves` from `powerspectrum/<movie>.json`. Raises OSError, InputError."""
    stored = _read(path)
    with _as_written(path):
        lines = stored["curves"]
        fit = np.asarray(lines["background"]) + np.asarray(lines["scale"]) * np.asarray(lines["model"])
        summary: dict[str, Any] = {name: stored.get(name) for name in CtfFit.__struct_fields__}
        document = Curves(
            frequency=lines["frequency"],
            data=lines["spectrum"],
            background=lines["background"],
            fit=np.round(fit, 6).tolist(),
            model=lines["model"],
            quality=lines["quality"],
            summary=CtfFit(**{**summary, "grid": DefocusSurface(**stored["grid"])}),
        )
        return msgspec.json.encode(document)


def tracks(path: Path, measured: Measured) -> bytes:
    """`Tracks` from `motion/<movie>.json`. Raises OSError, InputError."""
    stored = _read(path)
    with _as_written(path):
        local = stored["tracks_5x5_angstrom"]
        places = len(local[0])
        document = Tracks(
            frames=stored["frames"],
            dose_per_frame=stored["dose_per_frame"],
            width_angstrom=measured.width_angstrom,
            height_angstrom=measured.height_angstrom,
            fractions=[(place + 0.5) / places for place in range(places)],
            track=stored["track_angstrom"],
            local=local,
            skipped=measured.skipped,
            failure=stored.get("failure"),
        )
        return msgspec.json.encode(document)


def picks(path: Path, picked: Picked) -> bytes:
    """`Picks` from `matching/<movie>_<suffix>.json`. Raises OSError, InputError."""
    stored = _read(path)
    with _as_written(path):
        document = Picks(
            **{name: getattr(picked, name) for name in Picked.__struct_fields__},
            x_px=stored["x_px"],
            y_px=stored["y_px"],
            score=stored["scores"],
            histogram=stored["score_histogram"],
        )
        return msgspec.json.encode(document)


def content(path: Path) -> bytes:
    """The bytes of a file. Raises OSError, InputError."""
    with open_file(path) as file:
        return file.read()


def _read(path: Path) -> dict[str, Any]:
    with _as_written(path):
        stored = json.loads(content(path))
        if not isinstance(stored, dict):
            raise TypeError(type(stored).__name__)
        return stored


@contextmanager
def _as_written(path: Path) -> Iterator[None]:
    """What goes wrong inside with values from a file, or with text that JSON cannot hold, is the file's fault."""
    try:
        yield
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise InputError(
            f"{path}: not as warpcore writes it ({error!r}); process the movie again (retry with force)"
        ) from None
