"""A number for a movie's present results, for addresses that may be cached for ever."""

from __future__ import annotations

import hashlib
import json

from warpcore.bus.messages import Movie
from warpcore.services.steps.learning import CHOICE


def generation_of(movie: Movie) -> int:
    """A 32-bit number of the results: equal results, equal number, on every host and after every restart.

    It is a hash of what the results follow from: the movie, its file, the steps' fingerprints and what they had learnt.
    """
    choices = {step: summary[CHOICE] for step, summary in movie.results.items() if summary and summary.get(CHOICE)}
    known = [movie.id, movie.size, movie.mtime_ns, movie.fingerprints, choices]
    digest = hashlib.blake2b(json.dumps(known, sort_keys=True).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little")
