"""Groups of movies; squares and holes with how their movies are."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

from warpcore.bus.vocabulary import Verdict
from warpcore.services.api.views._naming import Count, Seq, View

Share = Annotated[float, Meta(ge=0, le=1)]


class GroupView(View, frozen=True):
    """Movies with equal values."""

    values: Annotated[dict[str, Any], Meta(description="By column, the value that they share; null: none.")]
    movies: Count
    statuses: Annotated[dict[str, int], Meta(description="Movies by status; statuses without any are left out.")]
    medians: Annotated[dict[str, float | None], Meta(description="By column, over the movies that have a value.")]


class MediansView(View, frozen=True):
    """Medians over the movies that have a value; null: none has."""

    resolution_angstrom: float | None = None
    early_step_angstrom: Annotated[
        float | None, Meta(description="Mean movement from frame to frame over the first third, Å.")
    ] = None
    ice_thickness: Annotated[float | None, Meta(description="Relative, as `ctf.iceThickness`.")] = None
    particles: Annotated[float | None, Meta(description="Picks a movie.")] = None
    defocus_um: Annotated[float | None, Meta(description="Measured defocus, µm.")] = None
    off_target_um: Annotated[float | None, Meta(description="Measured minus applied defocus, µm.")] = None


class PlaceView(View, frozen=True):
    """How the movies of a place are. What it advises controls nothing."""

    movies: Annotated[int, Meta(ge=0, description="All that were found.")]
    done: Annotated[int, Meta(ge=0, description="Those that are processed, filtered out or failed.")]
    good: Annotated[int, Meta(ge=0, description="Those that are processed and pass the filter.")]
    good_share: Annotated[Share | None, Meta(description="Good ones of those that are done; null: none is.")]
    medians: MediansView
    verdict: Verdict
    advice: Annotated[str, Meta(description="The verdict in words, with its reasons.")]
    stage_x_um: Annotated[float | None, Meta(description="Median position of the stage, µm.")]
    stage_y_um: Annotated[float | None, Meta(description="Median position of the stage, µm.")]


class HoleView(PlaceView, frozen=True):
    """A foil hole."""

    hole: Annotated[str | None, Meta(description="Its id; null: movies whose hole is not known.")]


class SquareView(PlaceView, frozen=True):
    """A grid square with its holes."""

    grid: Annotated[str | None, Meta(description="The grid's id; null: not known.")]
    square: str
    holes: list[HoleView]


class SquaresView(View, frozen=True):
    """All squares of the session."""

    seq: Seq
    squares: list[SquareView]
    medians: Annotated[MediansView, Meta(description="Of the whole session.")]
    without_square: Annotated[int, Meta(ge=0, description="Movies whose metadata name no square.")]
