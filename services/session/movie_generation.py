"""One number for all results of a movie: URLs that hold it may be cached for ever, since other results get another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from warpcore.services.steps.learning import CHOICE


class HasResults(Protocol):
    """What of a movie decides its results."""

    @property
    def id(self) -> int: ...

    @property
    def size(self) -> int: ...

    @property
    def mtime_ns(self) -> int: ...

    @property
    def fingerprints(self) -> Mapping[str, str]: ...

    @property
    def results(self) -> Mapping[str, Any]: ...

    @property
    def hand_picks(self) -> str: ...


def generation_of(movie: HasResults) -> int:
    """An unsigned 32-bit number: equal for equal results of one movie, another one (but by chance) for others.

    It is made from the movie's number, its file's identity, what each result was made with (fingerprints, and what
    steps had learnt), and a person's edits of the picks, which are shown before the picks follow.
    """
    learnt = {step: summary[CHOICE] for step, summary in movie.results.items() if summary and summary.get(CHOICE)}
    made = [movie.id, movie.size, movie.mtime_ns, dict(movie.fingerprints), learnt]
    if movie.hand_picks:
        made.append(movie.hand_picks)
    digest = hashlib.blake2b(json.dumps(made, sort_keys=True).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "little")
