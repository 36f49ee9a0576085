"""Wire messages as REST shows them: camelCase names, times as ISO 8601 in UTC."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

from warpcore.bus.messages import (
    ExportJob,
    Health,
    Item,
    Items,
    Movie,
    ProcessingStatus,
    SettingsReply,
    Summary,
    Worker,
    WorkerLogs,
)


def camel(name: str) -> str:
    """`last_modified` → `lastModified`."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


def snake(name: str) -> str:
    """`defocusUm` → `defocus_um`; names already in snake case stay."""
    return re.sub(r"(?<=[A-Za-z0-9])([A-Z])", r"_\1", name).lower()


def camel_keys(value: Any) -> Any:
    """JSON data with all its names in camelCase. NaN and infinity, which JSON does not have, become null."""
    if isinstance(value, dict):
        return {camel(str(name)): camel_keys(one) for name, one in value.items()}
    if isinstance(value, list):
        return [camel_keys(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def iso_time(seconds: float) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC. 0 stands for never and becomes null."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z") if seconds > 0 else None


def _fields(body: dict[str, Any]) -> dict[str, Any]:
    """A message's body with its fields in camelCase; a new field of a movie or a worker appears by itself."""
    return {camel(name): value for name, value in body.items()}


def movie_view(movie: Movie) -> dict[str, Any]:
    """One movie. `fileModified` is the raw file's own time. `fingerprints` are by the steps' own names."""
    body = {**movie.to_body(), "results": camel_keys(movie.results)}
    modified = iso_time(body.pop("mtime_ns") / 1e9)
    return {**_fields(body), "fileModified": modified}


def item_view(item: Item) -> dict[str, Any]:
    """One movie with the story of its transitions, and what the results of steps that learn go by."""
    return {**movie_view(item.movie), "story": camel_keys(item.story), "learnt": item.learnt}


def items_view(items: Items) -> dict[str, Any]:
    """A page of movies."""
    return {
        "items": [movie_view(movie) for movie in items.movies],
        "totalItems": items.total,
        "page": items.page,
        "pageSize": items.page_size,
    }


def effect_view(reply: SettingsReply) -> dict[str, Any]:
    """What a change of settings does, counted in movies with results.

    `runs` counts movies by step, `changed` lists names of settings.
    """
    effect = reply.effect.to_body() if reply.effect is not None else {}
    return {camel(name): value for name, value in effect.items()}


def status_view(status: ProcessingStatus) -> dict[str, Any]:
    """Whether movies are being processed, how many are done and how fast. `counts` is by movie status."""
    return {
        "isProcessing": status.is_processing,
        "totalItems": status.total,
        "itemsLeft": status.left,
        "counts": status.counts,
        "ratePerHour": status.rate_per_hour,
        "rateWindowSeconds": status.rate_window_s,
        "workers": status.workers,
        "running": camel_keys(status.running),
        "dataDirectory": status.data_directory,
        "processingDirectory": status.processing_directory,
        "warnings": status.warnings,
        "learnt": [one.to_body() for one in status.learnt],
        "latency": [
            {"stage": one.stage, "medianSeconds": one.median_s, "p90Seconds": one.p90_s, "movies": one.movies}
            for one in status.latency
        ],
        "seq": status.seq,
    }


def worker_view(worker: Worker) -> dict[str, Any]:
    """One worker. `versions` keeps the packages' own names."""
    body = {**worker.to_body(), "load": camel_keys(worker.load.to_body())}
    silent_s = body.pop("silent_s")
    return {**_fields(body), "silentSeconds": silent_s}


def logs_view(logs: WorkerLogs) -> dict[str, Any]:
    """A worker's last log lines, oldest first."""
    return {"worker": logs.worker, "lines": camel_keys(logs.lines)}


def summary_view(summary: Summary) -> dict[str, Any]:
    """Counts by status, and when any movie changed last."""
    return {
        "totalItems": summary.total,
        "failedItems": summary.failed,
        "counts": summary.counts,
        "lastModified": iso_time(summary.last_modified),
        "seq": summary.seq,
    }


def timestamp_view(summary: Summary) -> dict[str, Any]:
    """When anything changed last, for clients that ask often."""
    return {"lastModified": iso_time(summary.last_modified), "seq": summary.seq}


def job_view(job: ExportJob) -> dict[str, Any]:
    """An export job. `options` are names of the `export` settings, `files` are relative to the processing directory.

    Where `nextAfter` is not null there are more files: `GET /api/export/{job}?after=…`.
    """
    return {camel(name): value for name, value in job.to_body().items()}


def health_view(health: Health, versions: dict[str, str]) -> dict[str, Any]:
    """The API's and the scheduler's own state."""
    return {
        "status": "ok",
        "api": {"versions": versions},
        "scheduler": {
            "uptimeSeconds": health.uptime_s,
            "seq": health.seq,
            "movies": health.movies,
            "workers": health.workers,
            "malformed": health.malformed,
            "versions": health.versions,
        },
    }
