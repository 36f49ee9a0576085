"""How a step declares what it learns from the first movies of a session, for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

EVIDENCE = "evidence"
"""The field of the result of a step that learns: what its movie tells, a map of JSON types, or None."""

CHOICE = "choice"
"""What stands beside it: the id of the session's choice that the result was made with, None where it had none."""


class Lesson(NamedTuple):
    """What one movie tells. `movie` is its name in tasks and outputs: its path without the extension."""

    movie: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Learning:
    """What a step learns.

    `count` says from how many first movies under these settings, 0 where nothing is learnt. `pool` makes the choice, a
    map of JSON types, from the settings and the lessons of those movies in order of registration. It is pure and
    deterministic, and fast: it runs in the scheduler. `describe` says a choice in words. What `pool` or `describe`
    raises is told once; then there is no choice, and each movie goes by itself.
    """

    count: Callable[[Any], int]
    pool: Callable[[Any, Sequence[Lesson]], Mapping[str, Any]]
    describe: Callable[[Mapping[str, Any]], str]
