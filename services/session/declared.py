"""The files that steps declare: a worker tells of these by step and pattern, and paths are made from that alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.step import Output

Reported = Mapping[str, Mapping[str, int | None]]
"""What a task has made: by step and by the pattern of its output the bytes of the file in the task's own folder.

None stands for a file that is in place already with the same bytes.
"""


class UndeclaredError(ValueError):
    """A file that no step declares; one line."""


def declared(step: str, pattern: str) -> Output:
    """The output of a step with this pattern. Raises UndeclaredError."""
    for output in CHAIN[step].outputs if step in CHAIN else ():
        if output.pattern == pattern:
            return output
    raise UndeclaredError(f"step {step[:100]!r} declares no file {pattern[:200]!r}")


def staged_name(step: str, pattern: str) -> str:
    """The name of an output in the folder of its task: `motion.0.json`. Raises UndeclaredError."""
    output = declared(step, pattern)
    return f"{step}.{CHAIN[step].outputs.index(output)}{PurePosixPath(pattern).suffix}"


def paths_of(reported: Reported, movie: str, suffix: str) -> dict[str, list[str]]:
    """The final paths of what was reported of the movie `movie`, by step. Raises UndeclaredError."""
    return {
        step: [declared(step, pattern).path(movie, suffix) for pattern in files] for step, files in reported.items()
    }


def staged_files(reported: Reported, movie: str, suffix: str) -> dict[str, tuple[str, int]]:
    """The final path of each file that was written, with its name in the task's folder, and its bytes."""
    return {
        declared(step, pattern).path(movie, suffix): (staged_name(step, pattern), size)
        for step, files in reported.items()
        for pattern, size in files.items()
        if size is not None
    }
