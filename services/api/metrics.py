"""`GET /api/metrics`: the session and its workers, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args, get_type_hints

import falcon.asgi
from msgspec import Meta
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from warpcore.bus.messages import GetProcessing, GetWorkers, Load, ProcessingStatus, Worker, Workers
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.operations import operation

_UNITS = (("_mb", "_bytes", 2**20), ("_percent", "_ratio", 0.01), ("_c", "_celsius", 1), ("_w", "_watts", 1))
"""How names of values end on the wire and, by the customs of Prometheus, here; and the factor between them."""


class MetricsResource:
    """`GET /api/metrics`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(media_types=["text/plain"])
    async def on_get(self, resp: falcon.asgi.Response) -> None:
        """Movies by status, rate, and each worker's state, counts and load, as text for Prometheus.

        Such as `warpcore_movies{status="failed"}` and `warpcore_worker_gpu_temperature_celsius{worker="h/cuda:0",…}`.
        """
        status = await ask(self._scheduler, GetProcessing(), ProcessingStatus)
        workers = await ask(self._scheduler, GetWorkers(), Workers)
        resp.content_type = CONTENT_TYPE_LATEST
        resp.text = exposition(status, workers.workers)


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resource of this module by its path."""
    return {"/api/metrics": MetricsResource(scheduler)}


def exposition(status: ProcessingStatus, workers: Iterable[Worker]) -> str:
    """The text that Prometheus reads. What is unknown is left out."""
    registry = CollectorRegistry()
    registry.register(_Once([*_of_session(status), *_of_workers(list(workers))]))
    return generate_latest(registry).decode()


class _Once(Collector):
    """Metrics that are made already."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._metrics


def _of_session(status: ProcessingStatus) -> list[Metric]:
    movies = GaugeMetricFamily("warpcore_movies", "Movies by status.", labels=["status"])
    for name, count in status.counts.items():
        movies.add_metric([name], count)
    metrics: list[Metric] = [
        movies,
        GaugeMetricFamily("warpcore_movies_left", "Movies that run or wait to.", value=status.left),
        GaugeMetricFamily("warpcore_processing", "1 while movies are given to workers.", value=status.is_processing),
        GaugeMetricFamily("warpcore_warnings", "Warnings that a person should know.", value=len(status.warnings)),
    ]
    if status.rate_per_hour is not None:
        rate = GaugeMetricFamily("warpcore_movies_per_hour", "Measured rate.", value=status.rate_per_hour)
        metrics.append(rate)
    return metrics


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
        who = [worker.id, worker.host, worker.device]
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
