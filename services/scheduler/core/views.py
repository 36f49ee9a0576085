"""How records look on the wire, and pages of them that fit a frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from warpcore.bus import messages as wire
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ErrorCode, ItemState
from warpcore.services.scheduler.core.export_records import ExportRecord
from warpcore.services.scheduler.core.records import MovieRecord, TaskRecord, WorkerRecord
from warpcore.services.scheduler.core.try_records import TryRecord
from warpcore.services.session.learning import without_evidence
from warpcore.services.session.optics_groups import FIRST_GROUP
from warpcore.services.session.paths import try_folder
from warpcore.services.session.resolving import METADATA, RESOLVED, Resolved, value_of
from warpcore.services.session.settings import SettingsError
from warpcore.services.steps.place import with_off_target
from warpcore.services.steps.step import PLACE, RUN

FRAME_BUDGET_BYTES = 900_000
"""Space for the rows of an answer: a frame has 1 MiB, and envelope and settings need some of it."""

MOST_FAULTS = 50
LONGEST_PART = 1000
LONGEST_DETAIL = 4000
"""Of refused settings so many are told, in so many characters each and in all."""

M = TypeVar("M", bound=Message)


def valid_results(results: dict[str, Any], off: frozenset[str]) -> dict[str, Any]:
    """The summaries without those of steps that are switched off now."""
    if not off:
        return results
    return {step: summary for step, summary in results.items() if step not in off}


def shown_results(movie: MovieRecord, off: frozenset[str], results: dict[str, Any] | None = None) -> dict[str, Any]:
    """The valid summaries by step, its own or those given; `place`: where it was recorded, `run`: how it ran."""
    valid = valid_results(movie.results if results is None else results, off)
    if not movie.place and not movie.run:
        return valid
    place = {PLACE: with_off_target(movie.place, valid)} if movie.place else {}
    return {**valid, **place, RUN: movie.run} if movie.run else {**valid, **place}


def _shared(view: type[Message], record: type[Any]) -> tuple[str, ...]:
    """Fields that a wire type takes as they are from a record, or from another message: those of equal names."""
    known = record.__struct_fields__ if issubclass(record, Message) else [one.name for one in fields(record)]
    return tuple(name for name in view.__struct_fields__ if name in known)


_MOVIE = _shared(wire.Movie, MovieRecord)
_of_movie = attrgetter(*_MOVIE)
_WORKER_PLACE = wire.Movie.__struct_fields__.index("worker")
_RESULTS_PLACE = _MOVIE.index("results")
_GROUP_PLACE = _MOVIE.index("optics_group")
_WORKER = _shared(wire.Worker, WorkerRecord)
_of_worker = attrgetter(*_WORKER)
_HELLO = _shared(wire.Worker, wire.RegisterWorker)
_of_hello = attrgetter(*_HELLO)


def movie_view(movie: MovieRecord, worker: str | None, off: frozenset[str]) -> wire.Movie:
    """A movie's public state; `off` are the steps that are switched off."""
    values = [*_of_movie(movie)]
    values[_GROUP_PLACE] = movie.optics_group or FIRST_GROUP
    values[_RESULTS_PLACE] = without_evidence(shown_results(movie, off))
    values.insert(_WORKER_PLACE, worker)
    return wire.Movie(*values)  # by position: each event of each movie comes through here


def resolved_values(resolved: Resolved, acquisition: wire.Acquisition | None) -> list[wire.ResolvedValue]:
    """What a movie is processed with of all that it may tell itself, each with where it comes from."""
    file = "" if acquisition is None else f": {acquisition.source}"
    sources = {name: f"{word}{file}" if word == METADATA else word for name, word in resolved.sources.items()}
    settings, conflicts = resolved.settings, resolved.conflicts
    return [
        wire.ResolvedValue(name, value_of(settings, name), sources.get(name, ""), conflicts.get(name, ""))
        for name in RESOLVED
    ]


def worker_view(worker: WorkerRecord, movies: list[str], now: float) -> wire.Worker:
    """A worker as the registry shows it: its registration and what is known of it; `movies` are those that it holds."""
    hello = worker.hello or wire.RegisterWorker(worker.name, worker.instance, "", 0, "", 0, {})
    values = dict(zip(_HELLO, _of_hello(hello), strict=True))
    values.update(zip(_WORKER, _of_worker(worker), strict=True))
    values["reason"] = worker.reason or worker.sight.problem
    if not worker.alive:
        values["warnings"] = []
    silent_s = round(max(0.0, now - worker.heard_at), 3)
    idle_s = 0.0 if worker.leases else round(max(0.0, now - worker.idle_since), 3)
    return wire.Worker(id=worker.name, movies=movies, silent_s=silent_s, idle_s=idle_s, **values)


def export_view(export: ExportRecord, names: dict[int, str], after: int = 0) -> wire.ExportJob:
    """A job with its files after the first `after`, and its failures, as many as fit a frame."""
    files = [export.file] if export.file else []
    for item in export.items.values():
        files.extend(item.files)
    shown = fitting(files[after:], FRAME_BUDGET_BYTES * 3 // 4)
    failures = [
        {"name": names[movie], "message": item.message}
        for movie, item in export.items.items()
        if item.state == ItemState.FAILED
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
        kind=export.kind,
        state=export.state,
        total=len(export.items),
        done=export.done,
        failed=export.failed,
        options=export.options,
        particles=export.particles,
        particles_at_edge=export.particles_at_edge,
        folder=export.shown_folder,
        files=files or [],
        failures=failures or [],
        next_after=next_after,
    )


def try_view(attempt: TryRecord, name: str, task: TaskRecord | None) -> wire.Try:
    """A try with its results; `task` is the one that runs it now."""
    step, fraction = (task.step, task.fraction) if task is not None else ("", 0.0)
    results = without_evidence(attempt.results)
    return replace(try_head(attempt, name), results=results, outputs=attempt.outputs, step=step, fraction=fraction)


def try_head(attempt: TryRecord, name: str) -> wire.Try:
    """A try of the movie `name`, without results and outputs."""
    return wire.Try(
        id=attempt.id,
        name=name,
        state=attempt.state,
        settings=attempt.patch,
        folder=try_folder(attempt.id),
        at=attempt.at,
        by=attempt.by,
        failure=attempt.failure,
        filter_reasons=attempt.filter_reasons,
    )


def refused_settings(error: SettingsError) -> wire.Error:
    """The answer to impossible settings: the first faults, with long names and values cut."""
    faults = [{key: _short(part) for key, part in fault.items()} for fault in error.errors[:MOST_FAULTS]]
    return wire.Error(ErrorCode.INVALID, str(error)[:LONGEST_DETAIL], faults)


def _short(part: Any) -> Any:
    text = part if isinstance(part, str) else repr(part)
    return part if len(text) <= LONGEST_PART else f"{text[:LONGEST_PART]}…"


def packed_size(value: Any) -> int:
    """Bytes of a plain value in a frame."""
    return len(msgspec.msgpack.encode(value))


def fitting(rows: Iterable[Any], budget_bytes: int = FRAME_BUDGET_BYTES) -> list[Any]:
    """The first rows or messages, as many as fit into `budget_bytes`, at least one."""
    page: list[Any] = []
    left = budget_bytes
    for row in rows:
        left -= packed_size(row.to_body() if isinstance(row, Message) else row)
        if left < 0 and page:
            break
        page.append(row)
    return page
