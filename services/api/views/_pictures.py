"""What a movie looks like: its pictures and files, curves, tracks, picks and log."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from warpcore.services.api.views._naming import Count, Time, View

Pixels = Annotated[int, Meta(ge=0, description="px.")]
Position = tuple[float, float]
Curve = list[float]


class PictureView(View, frozen=True):
    """A picture that can be asked for, and its largest size."""

    kind: str
    url: str
    width: Pixels
    height: Pixels


class FileView(View, frozen=True):
    """An output on disk."""

    path: Annotated[str, Meta(description="Below the processing directory.")]
    bytes: Count
    step: str
    description: str
    url: str


class PicturesView(View, frozen=True):
    """All pictures and files of a movie's present results."""

    generation: Annotated[int, Meta(description="A number of the results: equal results, equal number.")]
    pictures: list[PictureView]
    files: list[FileView]


class DefocusSurface(View, frozen=True):
    """Defocus over the field."""

    dims: Annotated[list[int], Meta(description="Nodes along x and y, from edge to edge.")]
    values_um: Annotated[Curve, Meta(description="At the nodes in rows of x, µm.")]
    tilt_degrees: Annotated[float | None, Meta(description="Tilt of its plane, degrees.")] = None
    tilt_axis_degrees: float | None = None


class CtfFit(View, frozen=True):
    """A fitted CTF."""

    defocus_u_angstrom: float
    defocus_v_angstrom: float
    angle_degrees: float
    phase_shift_degrees: float
    figure_of_merit: float
    resolution_angstrom: float | None
    failure: Annotated[
        str | None, Meta(description="Why it failed; the numbers are then the best guess and not to be relied on.")
    ]
    warnings: list[str]
    ice_ring: float | None
    ice_thickness: float | None
    source: str
    grid: DefocusSurface


class CurvesView(View, frozen=True):
    """The CTF in one dimension."""

    frequency: Annotated[Curve, Meta(description="1/Å. All that follows is along it.")]
    data: Annotated[Curve, Meta(description="The power spectrum, averaged along the rings.")]
    background: Curve
    fit: Annotated[Curve, Meta(description="What the model makes of it, over `background` and in the data's strength.")]
    model: Annotated[Curve, Meta(description="CTF², 0 to 1.")]
    quality: Annotated[Curve, Meta(description="Agreement of data and model, 1 at best.")]
    summary: CtfFit


class TracksView(View, frozen=True):
    """Motion in Å as (x, y), frame 0 at 0."""

    frames: Count
    dose_per_frame: Annotated[float, Meta(description="e⁻/Å².")]
    width_angstrom: float
    height_angstrom: float
    fractions: Annotated[Curve, Meta(description="Where in the field the rows and columns of `local` lie.")]
    track: Annotated[list[Curve], Meta(description="At the centre, frame by frame.")]
    local: Annotated[list[Any], Meta(description="By frame, row and column.")]
    skipped: Annotated[bool, Meta(description="Motion is not corrected: nothing moves.")]
    failure: str | None


class HandPicksView(View, frozen=True):
    """A person's own edits of picks, in px of the average."""

    added: Annotated[list[Position], Meta(description="Picks (x, y) that were added.")]
    removed: Annotated[list[Position], Meta(description="Places where none is wanted.")]
    within_px: Annotated[
        float | None,
        Meta(description="Candidates this near to either are no picks of their own."),
    ]


class PicksView(View, frozen=True):
    """All scored candidates of the picker's, best first, in px of the average, and a person's edits."""

    width: Pixels
    height: Pixels
    pixel_size_angstrom: float
    diameter_angstrom: float | None
    threshold: Annotated[float, Meta(description="Candidates of at least this are picks, but for what `hand` says.")]
    certainty: float | None
    method: str
    count: Annotated[Count, Meta(description="How many picks there are.")]
    x_px: Curve
    y_px: Curve
    score: Curve
    histogram: Annotated[list[int], Meta(description="Candidates in equal steps of the score from 0 to 1.")]
    hand: HandPicksView


class HandEditsView(View, frozen=True):
    """The edits of picks that hold."""

    hand: HandPicksView
    former: Annotated[Count, Meta(description="How many times `undo` brings the ones before back.")]


class MovieLogLine(View, frozen=True):
    """A line about a movie."""

    at: Annotated[Time, Meta(description="By the clock of the host that says it.")]
    source: Annotated[str, Meta(description="`scheduler`, or a worker.")]
    level: str
    text: str


class MovieLogView(View, frozen=True):
    """What has happened to a movie."""

    name: str
    lines: Annotated[list[MovieLogLine], Meta(description="Oldest first.")]
