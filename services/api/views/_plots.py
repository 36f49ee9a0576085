"""A movie's data for plots: CTF curves, tracks of motion, picks."""

from __future__ import annotations

from typing import Annotated, Self

from msgspec import Meta

from warpcore.bus.messages import ItemPicks, Movie
from warpcore.services.api.views._naming import Count, View
from warpcore.services.session.hand_picks import placed, within_px
from warpcore.services.steps.step import INPUT

Line = list[float]
Position = tuple[float, float]


class DefocusSurface(View, frozen=True):
    """Defocus over the field."""

    dims: Annotated[list[int], Meta(description="Nodes along x and y, from edge to edge.")]
    values_um: Annotated[Line, Meta(description="Defocus at the nodes, µm, in rows of x.")]
    tilt_degrees: float | None = None
    tilt_axis_degrees: float | None = None


class CtfFit(View, frozen=True):
    """A fitted CTF. Where `failure` says why it failed, the numbers are the best guess and not to be relied on."""

    defocus_u_angstrom: Annotated[float, Meta(description="Larger defocus, Å.")]
    defocus_v_angstrom: Annotated[float, Meta(description="Smaller defocus, Å.")]
    angle_degrees: Annotated[float, Meta(description="Direction of U, from +x towards +y, °.")]
    phase_shift_degrees: float
    figure_of_merit: float | None
    resolution_angstrom: Annotated[float | None, Meta(description="Up to where fit and data agree, Å; null: nowhere.")]
    failure: str | None
    warnings: list[str]
    ice_ring: float | None
    ice_thickness: float | None
    source: Annotated[str, Meta(description="Whose spectra were fitted: `sum` of all frames, or `frames`.")]
    grid: DefocusSurface


class Curves(View, frozen=True):
    """The CTF in one dimension: each line has a value for each frequency."""

    frequency: Annotated[Line, Meta(description="1/Å.")]
    data: Annotated[Line, Meta(description="Power spectrum, averaged along the rings.")]
    background: Line
    fit: Annotated[Line, Meta(description="Background, and the model in the strength that the data have there.")]
    model: Annotated[Line, Meta(description="CTF², 0 to 1.")]
    quality: Annotated[Line, Meta(description="How well data and model agree, 1 at best.")]
    summary: CtfFit


class Tracks(View, frozen=True):
    """Motion in Å, frame by frame, as (x, y), frame 0 at 0."""

    frames: Count
    dose_per_frame: Annotated[float, Meta(description="e⁻/Å².")]
    width_angstrom: Annotated[float, Meta(description="Width of the field; 0: not known.")]
    height_angstrom: Annotated[float, Meta(description="Height of the field; 0: not known.")]
    fractions: Annotated[Line, Meta(description="Where in the field rows and columns of `local` lie, 0 to 1.")]
    track: Annotated[list[Position], Meta(description="At the centre of the field.")]
    local: Annotated[list[list[list[Position]]], Meta(description="By frame, row and column.")]
    skipped: Annotated[bool, Meta(description="Motion was not measured.")]
    failure: str | None


class HandPicks(View, frozen=True):
    """A person's edits of picks, in px of the average; the centre of pixel 0 is 0."""

    added: Annotated[list[Position], Meta(description="Picks that were added.")]
    removed: Annotated[list[Position], Meta(description="Places where the picker's picks were removed.")]
    within_px: Annotated[
        float | None, Meta(description="A candidate this near to either is no pick of its own; null: not known yet.")
    ]

    @classmethod
    def of_movie(cls, movie: Movie, added: list[Position] | None = None, removed: list[Position] | None = None) -> Self:
        """The edits of a movie; without any, those of one that has none."""
        known, picked = movie.results.get(INPUT) or {}, movie.results.get("picking") or {}
        pixel = known.get("pixel_size_angstrom")
        near = within_px(picked.get("diameter_angstrom"), pixel) if pixel else None
        return cls(added=added or [], removed=removed or [], within_px=near)


class Edits(View, frozen=True):
    """The edits of picks that hold."""

    hand: HandPicks
    former: Annotated[Count, Meta(description="How many times the edits before can be brought back.")]

    @classmethod
    def of_picks(cls, held: ItemPicks, movie: Movie) -> Self:
        """The edits on the movie's present average."""
        known = movie.results.get(INPUT) or {}
        size = known.get("width") or held.hand.width, known.get("height") or held.hand.height
        added, removed = (placed(positions, held.hand, *size) for positions in (held.hand.added, held.hand.removed))
        return cls(hand=HandPicks.of_movie(movie, added, removed), former=held.former)


class Picks(View, frozen=True):
    """All scored candidates of the picker, best first. Those of at least `threshold` are picks, but for `hand`."""

    width: Annotated[Count, Meta(description="Of the average, px.")]
    height: Annotated[Count, Meta(description="Of the average, px.")]
    pixel_size_angstrom: float
    diameter_angstrom: float | None
    threshold: float
    certainty: Annotated[float | None, Meta(description="Probability that picks are better than chance.")]
    uncertain: Annotated[bool, Meta(description="They are no better than chance, by their certainty.")]
    method: str
    count: Annotated[Count, Meta(description="Picks at the threshold, with the edits that they follow.")]
    x_px: Annotated[Line, Meta(description="Column on the average; the centre of pixel 0 is 0.")]
    y_px: Annotated[Line, Meta(description="Row on the average.")]
    score: Annotated[Line, Meta(description="Probability of being a particle.")]
    histogram: Annotated[list[int], Meta(description="Candidates in equal steps of the score from 0 to 1.")]
    hand: HandPicks
