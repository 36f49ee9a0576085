"""What is unlikely in a session's settings, by what its movies measure: one line each, for as long as it is so.

The lines have no measured figures: these change with each movie, and a line that changes is told again.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from warpcore.bus.vocabulary import DONE
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.resolving import ASSUMED, DOSE, UNITS, VOLTAGE, Resolved, value_of
from warpcore.services.steps.step import INPUT

FEWEST_MOVIES = 3
_LAST = 25
MOST_OF_COUNTS = 5.0
"""So many times the counted dose none can be: cameras count 0.4 to 1 of the electrons that the specimen gets, simulated
ones all."""
MOST_EXPOSURE = 300.0
"""e⁻/Å² of a whole exposure; of single particles it is 30 to 80, of a whole tilt series 150."""


def notices(state: State) -> list[str]:
    """All that holds now."""
    movies = (state.movies[id] for id in state.recent.last(_LAST))
    inputs = [movie.results[INPUT] for movie in movies if movie.status in DONE and INPUT in movie.results]
    return unlikely_dose(inputs, state.settings.export.dose_weighting)


def notes(state: State) -> list[str]:
    """Values that are assumed for all movies: usual without metadata, and no alarm.

    Movies of an earlier version tell nothing, since nobody has looked into them.
    """
    return assumed_for_all([state.learning.of(facts).resolved for facts in state.told if facts.is_known])


def assumed_for_all(found: Sequence[Resolved]) -> list[str]:
    """A line for each of voltage and dose that nothing tells of any of these movies."""
    return [
        f"the {what} is assumed to be {value_of(found[0].settings, name):g} {UNITS[name]}, "
        f"as neither settings nor metadata tell it; set {name}"
        for name, what in ((VOLTAGE, "voltage"), (DOSE, "dose"))
        if found and all(one.sources.get(name) == ASSUMED for one in found)
    ]


def unlikely_dose(inputs: Sequence[dict[str, Any]], is_weighted: bool) -> list[str]:
    """A line where the dose of most of these movies, by results, is unlikely. `is_weighted`: frames are, by dose."""
    wrong = _wrong_dose(inputs, is_weighted)
    return [f"{wrong}; set import.dose_per_frame, which weighs frames by dose"] if wrong else []


def _wrong_dose(inputs: Sequence[dict[str, Any]], is_weighted: bool) -> str:
    dose, frames = _median(inputs, "dose_per_frame"), _median(inputs, "frames")
    counted = _median(inputs, "counted_dose_per_frame")
    if dose is None or frames is None:
        return ""
    if dose == 0:
        return "the dose is 0, so frames have equal weights" if is_weighted else ""
    if dose * frames > MOST_EXPOSURE:
        return f"the dose of {dose:.3g} e⁻/Å² a frame makes over {MOST_EXPOSURE:g} e⁻/Å² in all, which is unlikely"
    if counted and dose > MOST_OF_COUNTS * counted:
        return f"the dose of {dose:.3g} e⁻/Å² a frame is over {MOST_OF_COUNTS:g} times what the movies' counts say"
    return ""


def _median(inputs: Sequence[dict[str, Any]], name: str) -> float | None:
    """The median of a value; None where too few movies have it."""
    values = [one[name] for one in inputs if one.get(name) is not None]
    return statistics.median(values) if len(values) >= FEWEST_MOVIES else None
