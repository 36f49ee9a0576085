"""Which earlier outputs of a movie are kept, and what was measured then, so that a preview can tell the filter's word.

The files, and a manifest with the same results, lie in `services/session/generations.py`'s folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgpack
import msgspec

from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.session.generations import generation_key
from warpcore.services.session.learning import without_evidence


def keep(movie: MovieRecord, keys: Iterable[str]) -> None:
    """Note that outputs are kept under these keys and no others; the present ones may be among them."""
    keys = list(keys)
    if not keys:
        movie.kept, movie.kept_results = {}, {}
        return
    present = generation_key(movie.fingerprints)
    made_with = {**movie.kept, present: movie.fingerprints}
    movie.kept = {key: made_with[key] for key in keys if key in made_with}
    results = {key: packed for key, packed in movie.kept_results.items() if key in movie.kept}
    if present in movie.kept:
        results[present] = msgspec.msgpack.encode(without_evidence(movie.results))
    movie.kept_results = results


def kept_results(movie: MovieRecord, key: str) -> dict[str, Any] | None:
    """The summaries of kept outputs, by step; None for those of an earlier version, which did not note them."""
    packed = movie.kept_results.get(key)
    return None if packed is None else msgpack.unpackb(packed)
