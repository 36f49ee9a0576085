"""The alarm for settings that were made before any movie was there to hold them against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from warpcore.bus.vocabulary import Severity
from warpcore.services.scheduler.core.alarms import Finding, rule
from warpcore.services.scheduler.core.held_movies import first_sizes
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.workable import problems_with


@rule("unworkable")
def unworkable(state: State) -> Iterator[Finding]:
    """A setting cannot work with most of the session's first movies, which fail by it: it was made before they came."""
    movies = first_sizes(state)
    counts = Counter(movies)
    found: dict[str, tuple[int, str]] = {}
    for movie, count in counts.items():
        for problem in problems_with(state.settings, movie):
            before, text = found.get(problem.name, (0, f"{problem.name} = {problem.value}: {problem.text}"))
            found[problem.name] = before + count, text
    for name, (count, text) in found.items():
        if 2 * count > len(movies):
            yield Finding(name, text, f"{name} cannot work with the movies", Severity.CRITICAL)
