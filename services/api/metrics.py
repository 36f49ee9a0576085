"""`GET /metrics`: the session and its workers, in the text format of Prometheus."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping
from typing import get_args, get_type_hints

import falcon.asgi
from msgspec import Meta
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from warpcore.bus.messages import GetMetrics, Histogram, Load, Metrics, Pool, Worker
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.live import Feed
from warpcore.services.api.operations import operation

FRESH_S = 2.0
"""So long one answer of the scheduler serves all that scrape."""
_LONGEST_LABEL = 200
_UNITS = (("_mb", "_bytes", 2**20), ("_percent", "_ratio", 0.01), ("_c", "_celsius", 1), ("_w", "_watts", 1))
"""How names of values end on the wire and, by the customs of Prometheus, here; and the factor between them."""


class MetricsResource:
    """`GET /metrics`."""

    def __init__(self, scheduler: Scheduler, feed: Feed) -> None:
        self._scheduler = scheduler
        self._feed = feed
        self._asking = asyncio.Lock()
        self._known: Metrics | None = None
        self._asked_at = 0.0

    @operation(media_types=["text/plain"])
    async def on_get(self, resp: falcon.asgi.Response) -> None:
        """Queue, rates, times of steps, failures, workers with their load, pools, disk, memory, as text for Prometheus.

        Such as `warpcore_movies{status="failed"}` and `warpcore_worker_gpu_temperature_celsius{worker="h/cuda:0",…}`.
        """
        metrics = await self._metrics()
        resp.content_type = CONTENT_TYPE_LATEST
        resp.text = exposition(metrics, behind=max(0, metrics.seq - self._feed.log.head))

    async def _metrics(self) -> Metrics:
        """The scheduler's figures, not older than `FRESH_S`."""
        async with self._asking:
            if self._known is None or time.monotonic() - self._asked_at > FRESH_S:
                self._known = None
                self._asked_at = time.monotonic()
                self._known = await ask(self._scheduler, GetMetrics(), Metrics)
            return self._known


def routes(scheduler: Scheduler, feed: Feed) -> dict[str, object]:
    """The resource of this module by its paths: where Prometheus looks, and beside all others."""
    resource = MetricsResource(scheduler, feed)
    return {"/metrics": resource, "/api/metrics": resource}


def exposition(metrics: Metrics, behind: int = 0) -> str:
    """The text that Prometheus reads. What is unknown is left out.

    `behind`: so many changes the scheduler has made that this process has not heard of yet.
    """
    registry = CollectorRegistry()
    lag = GaugeMetricFamily("warpcore_events_behind", "Changes that the API has not heard of yet.", value=behind)
    of_session = [*_of_session(metrics), *_of_scheduler(metrics), lag]
    registry.register(_Once([*of_session, *_of_workers(metrics.worker_list), *_of_pools(metrics.pools)]))
    return generate_latest(registry).decode()


class _Once(Collector):
    """Metrics that are made already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._metrics


def _of_session(found: Metrics) -> list[Metric]:
    metrics: list[Metric] = [
        _by_label("warpcore_movies", "Movies by status.", "status", found.counts),
        GaugeMetricFamily("warpcore_movies_left", "Movies that run or wait to.", value=found.left),
        GaugeMetricFamily("warpcore_processing", "1 while movies are given to workers.", value=found.is_processing),
        GaugeMetricFamily("warpcore_holds", "Reasons why the session holds by itself.", value=found.holds),
        GaugeMetricFamily("warpcore_warnings", "Warnings that a person should know.", value=found.warnings),
        _by_label("warpcore_alarms", "Alarms that hold, by severity.", "severity", found.alarms),
        _by_label("warpcore_workers", "Workers by state.", "state", found.workers),
        CounterMetricFamily(
            "warpcore_tasks_lost", "Tasks that ended without a result; most run again.", value=found.tasks_lost
        ),
    ]
    failures = CounterMetricFamily("warpcore_movies_failed", "Movies that have failed, by kind.", labels=["kind"])
    for kind, count in found.failures.items():
        failures.add_metric([kind], count)
    steps = HistogramMetricFamily("warpcore_step_seconds", "Time of a stage of a task.", labels=["step"])
    for histogram in found.step_s:
        steps.add_metric([histogram.name], _buckets(histogram), histogram.total)
    waiting = "Movies that workers could be given now, also for exports and tries."
    known_later = (
        ("warpcore_movies_waiting", waiting, found.waiting),
        ("warpcore_movies_per_hour", "Rate of movies of which all steps ran.", found.rate_per_hour),
        ("warpcore_reruns_per_hour", "Rate of movies of which some steps ran again.", found.reruns_per_hour),
    )
    known = [GaugeMetricFamily(name, text, value=value) for name, text, value in known_later if value is not None]
    return [*metrics, failures, steps, *known]


def _of_scheduler(found: Metrics) -> list[Metric]:
    commits = HistogramMetricFamily("warpcore_commit_seconds", "Time of a commit of the database.")
    commits.add_metric([], _buckets(found.commit_s), found.commit_s.total)
    malformed = CounterMetricFamily("warpcore_malformed", "Frames that were dropped, by socket.", labels=["socket"])
    for socket, count in found.malformed.items():
        malformed.add_metric([socket], count)
    return [
        commits,
        malformed,
        CounterMetricFamily("warpcore_changes", "Changes of the state since the session began.", value=found.seq),
        GaugeMetricFamily("warpcore_scheduler_uptime_seconds", "Since the scheduler began.", value=found.uptime_s),
        GaugeMetricFamily(
            "warpcore_scheduler_memory_bytes", "Resident memory of the scheduler.", value=found.memory_bytes
        ),
        _by_label("warpcore_disk_free_bytes", "Free space by folder.", "place", found.disk_free_bytes),
    ]


def _by_label(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=[label])
    for word, value in values.items():
        metric.add_metric([word], value)
    return metric


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    """Pairs of upper bound and how many values are not above it, as Prometheus counts them."""
    below, buckets = 0, []
    for bound, count in zip([*histogram.bounds, float("inf")], histogram.counts, strict=True):
        below += count
        buckets.append(("+Inf" if math.isinf(bound) else f"{bound:g}", float(below)))
    return buckets


def _of_workers(workers: list[Worker]) -> list[Metric]:
    labels = ["worker", "host", "device"]
    state = GaugeMetricFamily(
        "warpcore_worker_state", "1 for the state that a worker is in.", labels=[*labels, "state"]
    )
    done = CounterMetricFamily("warpcore_worker_movies_done", "Movies done since it registered.", labels=labels)
    failed = CounterMetricFamily("warpcore_worker_movies_failed", "Movies failed since then.", labels=labels)
    throttling = GaugeMetricFamily(
        "warpcore_worker_gpu_throttling", "1 for each reason why the GPU is slowed down.", labels=[*labels, "reason"]
    )
    loads = {name: GaugeMetricFamily(_metric(name)[0], text, labels=labels) for name, text in _load_values().items()}
    for worker in workers:
        who = [text[:_LONGEST_LABEL] for text in (worker.id, worker.host, worker.device)]
        state.add_metric([*who, worker.state], 1)
        done.add_metric(who, worker.done)
        failed.add_metric(who, worker.failed)
        for reason in worker.load.gpu_throttling or []:
            throttling.add_metric([*who, reason], 1)
        for name, metric in loads.items():
            value = getattr(worker.load, name)
            if value is not None:
                metric.add_metric(who, value * _metric(name)[1])
    return [state, done, failed, throttling, *(metric for metric in loads.values() if metric.samples)]


def _of_pools(pools: list[Pool]) -> list[Metric]:
    gauges = {
        "workers_desired": ("Workers that a pool finds right.", "wanted"),
        "workers_registered": ("Workers of a pool that are there.", "registered"),
        "workers_minimum": ("Least workers that a pool keeps.", "minimum"),
        "workers_maximum": ("Most workers that a pool has.", "maximum"),
        "frozen": ("1 while a pool submits nothing, not knowing how its jobs are.", "frozen"),
        "stopped": ("1 while a pool submits nothing until a person resumes, since jobs died at once.", "stopped"),
        "silent_seconds": ("Since a pool's last report.", "silent_s"),
    }
    counters = {
        "submissions": ("Jobs that a pool has tried to submit since its process began.", "submissions"),
        "cancels": ("Cancels that a pool has sent since its process began.", "cancels"),
    }
    jobs = GaugeMetricFamily("warpcore_pool_jobs", "Jobs of a pool by state.", labels=["pool", "state"])
    for pool in pools:
        jobs.add_metric([pool.name, "queued"], pool.queued)
        jobs.add_metric([pool.name, "running"], pool.running)
    metrics: list[Metric] = [jobs]
    for kind, families in ((GaugeMetricFamily, gauges), (CounterMetricFamily, counters)):
        for name, (text, field) in families.items():
            metric = kind(f"warpcore_pool_{name}", text, labels=["pool"])
            for pool in pools:
                metric.add_metric([pool.name], float(getattr(pool, field)))
            metrics.append(metric)
    return metrics


def _metric(name: str) -> tuple[str, float]:
    """The name of a value of a worker's load here, and the factor to its unit."""
    for end, unit, factor in _UNITS:
        if name.endswith(end):
            return f"warpcore_worker_{name.removesuffix(end)}{unit}", factor
    return f"warpcore_worker_{name}", 1


def _load_values() -> dict[str, str]:
    """The numbers of a load by name, with what they are."""
    found = {}
    for name, hint in get_type_hints(Load, include_extras=True).items():
        described = [one for one in get_args(hint) if isinstance(one, Meta)]
        if described and "list" not in str(hint):
            found[name] = (described[0].description or name).rsplit(", ", 1)[0].rstrip(".") + "."
    return found
