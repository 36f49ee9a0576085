"""What a worker has shown of the shared folders."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Sight:
    """`problem` says why the worker is given nothing, "" where it sees the folders or nobody has asked it.

    `sees_data`: it has found a movie of the data directory there. `blind_since` (monotonic seconds): it has said since
    then that it does not see them, or has said nothing. `asked_at` is when (monotonic seconds) the question
    was asked that waits for its answer, `next_at` when the worker is asked next. `met` is what it said of storage that
    was away, and `pause_s` how long it was left alone then; both end once it has done something since.
    """

    problem: str = ""
    sees_data: bool = False
    blind_since: float | None = None
    asked_at: float | None = None
    next_at: float = 0.0
    met: str = ""
    pause_s: float = 0.0
