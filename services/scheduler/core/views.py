"""How records look on the wire, and pages of them that fit a frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgpack

from warpcore.bus import messages as wire
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ExportKind, JobState, MovieStatus, Selection, WorkerState
from warpcore.services.scheduler.core.export_records import FAILED, ExportRecord
from warpcore.services.scheduler.core.records import MovieRecord, WorkerRecord

FRAME_BUDGET_BYTES = 900_000
"""Room for the rows of an answer in a frame of 1 MiB, with the envelope and the settings beside them."""

M = TypeVar("M", bound=Message)


def valid_results(movie: MovieRecord, off: frozenset[str]) -> dict[str, Any]:
    """The stored summaries without those of steps that are switched off now."""
    if not off:
        return movie.results
    return {step: summary for step, summary in movie.results.items() if step not in off}


def movie_view(movie: MovieRecord, worker: str | None, off: frozenset[str]) -> wire.Movie:
    """A movie's public state; `off` are the steps that are switched off."""
    return wire.Movie(
        id=movie.id,
        name=movie.name,
        path=movie.path,
        size=movie.size,
        mtime_ns=movie.mtime_ns,
        status=MovieStatus(movie.status),
        selection=Selection(movie.selection),
        priority=movie.priority,
        failure=movie.failure,
        filter_reasons=movie.filter_reasons,
        results=valid_results(movie, off),
        fingerprints=movie.fingerprints,
        worker=worker,
        outdated_steps=movie.outdated_steps,
    )


def worker_view(worker: WorkerRecord, movies: list[str], now: float) -> wire.Worker:
    """A worker as the registry shows it; `movies` are the names of those that it holds."""
    state = WorkerState.BUSY if worker.leases else WorkerState.IDLE
    if not worker.alive:
        state = WorkerState.LOST
    elif worker.set_aside:
        state = WorkerState.SET_ASIDE
    return wire.Worker(
        id=worker.name,
        host=worker.host,
        pid=worker.pid,
        device=worker.device,
        device_memory_mb=worker.device_memory_mb,
        versions=worker.versions,
        state=state,
        movies=movies,
        silent_s=round(max(0.0, now - worker.heard_at), 3),
        done=worker.done,
        failed=worker.failed,
        load=worker.load,
        reason=worker.set_aside or worker.reason,
        warnings=worker.warnings if worker.alive else [],
    )


def export_view(export: ExportRecord, names: dict[int, str], after: int = 0) -> wire.ExportJob:
    """A job with as many of its files beyond the first `after`, and of its failures, as fit a frame."""
    files = [export.file] if export.file else []
    for item in export.items.values():
        files.extend(item.files)
    shown = fitting(files[after:], FRAME_BUDGET_BYTES * 3 // 4)
    failures = [
        {"name": names[movie], "message": item.message} for movie, item in export.items.items() if item.state == FAILED
    ]
    return export_head(
        export,
        files=shown,
        failures=fitting(failures, FRAME_BUDGET_BYTES // 4),
        next_after=after + len(shown) if after + len(shown) < len(files) else None,
    )


def export_head(
    export: ExportRecord,
    files: list[str] | None = None,
    failures: list[dict[str, str]] | None = None,
    next_after: int | None = None,
) -> wire.ExportJob:
    """A job with its counts, without going through its movies."""
    return wire.ExportJob(
        job=export.job,
        kind=ExportKind(export.kind),
        state=JobState(export.state),
        total=len(export.items),
        done=export.done,
        failed=export.failed,
        options=export.options,
        files=files or [],
        failures=failures or [],
        next_after=next_after,
    )


def packed_size(value: Any) -> int:
    """Bytes of a plain value in a frame."""
    return len(msgpack.packb(value))


def fitting(rows: Iterable[Any], budget_bytes: int = FRAME_BUDGET_BYTES) -> list[Any]:
    """The first of the plain rows or messages, as many as fit into `budget_bytes`, one at least."""
    page: list[Any] = []
    left = budget_bytes
    for row in rows:
        left -= packed_size(row.to_body() if isinstance(row, Message) else row)
        if left < 0 and page:
            break
        page.append(row)
    return page
