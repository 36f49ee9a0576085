"""What is said of the data and the processing directory. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from warpcore.cli.host.facts import FolderFacts
from warpcore.cli.host.verdict import GIB, Verdict, good, noted, wrong
from warpcore.services.storage.mounts import is_shared

LEAST_FREE = 20 * GIB
"""Results of a few hundred movies."""
LEAST_INODES = 100_000
"""A movie leaves about 15 files."""
MOST_MTIME_AHEAD_S = 5.0


def folder_verdicts(data: FolderFacts | None, processing: FolderFacts | None, state_advice: str) -> Iterator[Verdict]:
    """Both directories, each where it was named; `state_advice` is what to do about the place of the database."""
    if data is not None:
        yield from _data(data)
    if processing is not None:
        yield from _processing(processing)
        yield from _state(processing, state_advice)
    if data is not None and processing is not None and not (data.problem or processing.problem):
        yield from _both(data, processing)


def _data(found: FolderFacts) -> Iterator[Verdict]:
    if found.problem:
        yield _unusable("data", found)
        return
    yield good("data", f"{found.path} can be read, on {_where(found)}")
    if is_shared(found.kind):
        yield noted(
            "data",
            f"{found.kind} tells nothing of files that other hosts write: scans find them, after 2 s at most",
            "--no-watch spares the watching",
        )


def _processing(found: FolderFacts) -> Iterator[Verdict]:
    if found.problem:
        yield _unusable("processing", found)
        return
    how = "can be written" if found.exists else "can be made"
    yield good("processing", f"{found.path} {how}, on {_where(found)}")
    for fault in found.failed:
        what, _, advice = fault.rpartition("; ")
        yield wrong("processing", what, advice)
    if not found.has_links:
        yield noted("processing", "hard links do not work there: earlier results are kept as copies, which takes space")
    if found.own_device is not None and found.own_device != found.device:
        yield noted(
            "processing",
            f"{found.path}/.warpcore lies on another file system: finished files are copied to their places, not moved",
            "make it a plain folder; --state FILE moves the database alone",
        )
    if found.free_bytes is not None and found.free_bytes < LEAST_FREE:
        yield noted(
            "space", f"{found.free_bytes / GIB:.1f} GiB are free for results", "free some, or name another disk"
        )
    if found.free_inodes is not None and found.free_inodes < LEAST_INODES:
        yield noted("space", f"{found.free_inodes} more files fit", "a movie leaves about 15: name another file system")
    if found.mtime_ahead_s is not None and abs(found.mtime_ahead_s) > MOST_MTIME_AHEAD_S:
        yield noted(
            "processing",
            f"times of files differ by {found.mtime_ahead_s:+.0f} s from this host's clock",
            "set the clock of the file server; nothing depends on it but the times that are shown",
        )


def _state(found: FolderFacts, advice: str) -> Iterator[Verdict]:
    if advice:
        what, _, do = advice.rpartition(": ")
        yield wrong("state", what, do)
    elif is_shared(found.kind) and not found.problem:
        yield noted("state", f"its locks depend on {found.kind}", "--state FILE on a disk of this host is safer")


def _both(data: FolderFacts, processing: FolderFacts) -> Iterator[Verdict]:
    if data.path == processing.path:
        yield wrong("folders", "data and processing directory are the same", "give another folder with --processing")
    elif data.device is not None and data.device == processing.device:
        yield noted(
            "folders",
            "movies and results share a file system: when it is full, the microscope cannot write either",
            "alarms tell in time (docs/alarms.md); another disk for results is safer",
        )


def _unusable(subject: str, found: FolderFacts) -> Verdict:
    what, _, advice = found.problem.rpartition("; ")
    return wrong(subject, what, advice)


def _where(found: FolderFacts) -> str:
    free = "" if found.free_bytes is None else f", {found.free_bytes / GIB:.0f} GiB free"
    return f"{found.mount} ({found.kind or 'unknown'}{free})"
