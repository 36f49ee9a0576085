"""Metrics as Prometheus' own parser reads them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import falcon.asgi
import falcon.testing
import msgspec
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.services.api.rest_session import Api
from warpcore.bus.messages import GetMetrics, Histogram, Load, Metrics, Pool, ReportPool, Worker
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import Throttling, WorkerState
from warpcore.services.api.live import Feed
from warpcore.services.api.metrics import MetricsResource, exposition

POOL = Pool("gpu", "slurm", 1, 8, 5, 2, 3, 4, 9, 2.5, frozen=True, submissions=7, cancels=3)
METRICS = Metrics(
    uptime_s=60.0,
    seq=9,
    memory_bytes=100_000_000,
    counts={"processed": 7, "failed": 1},
    left=0,
    is_processing=True,
    holds=0,
    warnings=0,
    rate_per_hour=None,
    reruns_per_hour=None,
    failures={"input": 1, "disk_full": 0},
    tasks_lost=2,
    alarms={"warning": 0, "critical": 1},
    workers={"idle": 0, "busy": 1},
    step_s=[Histogram("motion", [1.0, 10.0], [3, 2, 1], 42.0)],
    commit_s=Histogram("commit", [0.01], [5, 0], 0.02),
    disk_free_bytes={"processing": 10**12},
    malformed={"control": 0},
)
WORKER = Worker("h/cuda:0", "h", 3, "NVIDIA H100 (cuda:0)", 80_000, {}, WorkerState.BUSY, done=5, failed=1)
POOL_METRICS = (
    *(f"workers_{count}" for count in ("desired", "registered", "minimum", "maximum")),
    *("frozen", "stopped", "silent_seconds", "submissions_total", "cancels_total"),
)
WHO = {"worker": "h/cuda:0", "host": "h", "device": "NVIDIA H100 (cuda:0)"}


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Values by name and labels."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(text: str, name: str, **labels: str) -> float | None:
    return samples(text).get((name, frozenset(labels.items())))


def with_worker(load: Load, **changes: Any) -> str:
    worker = msgspec.structs.replace(WORKER, load=load)
    return exposition(msgspec.structs.replace(METRICS, worker_list=[worker], **changes))


def test_a_session_tells_its_movies_and_workers(api: Api, wait_until: Callable[..., None]) -> None:
    def free() -> float:
        return value(api.http.get("/metrics").text, "warpcore_disk_free_bytes", place="processing") or 0

    wait_until(lambda: free() > 0, 30, "the room on disk, which is measured beside all else")
    answer = api.http.get("/metrics")
    assert api.http.get("/api/metrics").status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert value(answer.text, "warpcore_movies", status="processed") == 3
    assert value(answer.text, "warpcore_movies", status="failed") == 1
    assert value(answer.text, "warpcore_processing") == 1
    assert value(answer.text, "warpcore_movies_failed_total", kind="input") == 1
    assert value(answer.text, "warpcore_workers", state="idle") == 1
    assert (value(answer.text, "warpcore_commit_seconds_count") or 0) > 0
    assert (value(answer.text, "warpcore_scheduler_memory_bytes") or 0) > 10_000_000
    assert value(answer.text, "warpcore_events_behind") is not None
    workers = api.http.get("/api/workers").json()["workers"]
    done = {dict(labels)["worker"]: n for (name, labels), n in samples(answer.text).items() if "movies_done" in name}
    assert done == {worker["id"]: worker["done"] for worker in workers}


def test_a_gpu_tells_what_it_does_in_base_units() -> None:
    load = Load(
        host_memory_mb=100,
        gpu_memory_mb=2,
        gpu_temperature_c=61,
        gpu_utilisation_percent=40,
        gpu_power_w=300,
        gpu_ecc_uncorrected=2,
        gpu_throttling=[Throttling.HEAT],
    )
    text = with_worker(load)
    assert value(text, "warpcore_worker_gpu_memory_bytes", **WHO) == 2 * 2**20
    assert value(text, "warpcore_worker_gpu_temperature_celsius", **WHO) == 61
    assert value(text, "warpcore_worker_gpu_utilisation_ratio", **WHO) == 0.4
    assert value(text, "warpcore_worker_gpu_power_watts", **WHO) == 300
    assert value(text, "warpcore_worker_gpu_ecc_uncorrected", **WHO) == 2
    assert value(text, "warpcore_worker_gpu_throttling", reason=Throttling.HEAT, **WHO) == 1
    assert value(text, "warpcore_worker_state", state="busy", **WHO) == 1
    assert value(text, "warpcore_worker_movies_done_total", **WHO) == 5


def test_a_pool_tells_its_jobs_its_limits_and_what_it_has_asked_for() -> None:
    text = exposition(msgspec.structs.replace(METRICS, pools=[POOL], waiting=4))
    found = {name: value(text, f"warpcore_pool_{name}", pool="gpu") for name in POOL_METRICS}
    assert found == {
        "workers_desired": 5,
        "workers_registered": 4,
        "workers_minimum": 1,
        "workers_maximum": 8,
        "frozen": 1,
        "stopped": 0,
        "silent_seconds": 2.5,
        "submissions_total": 7,
        "cancels_total": 3,
    }
    assert value(text, "warpcore_pool_jobs", pool="gpu", state="queued") == 2
    assert value(text, "warpcore_pool_jobs", pool="gpu", state="running") == 3
    assert value(text, "warpcore_movies_waiting") == 4


def test_pools_of_a_session_stand_in_its_metrics(api: Api, wait_until: Callable[..., None]) -> None:
    report = ReportPool("metered", "slurm", 0, 4, 3, 1, 2, 5, frozen=True, submissions=6)
    api.control.request(report)

    def told(name: str) -> float | None:
        return value(api.http.get("/metrics").text, f"warpcore_pool_{name}", pool="metered")

    wait_until(lambda: told("frozen") == 1, 30, "a scrape of later; one answer serves all within 2 s")
    assert told("workers_desired") == 3
    assert told("submissions_total") == 6
    api.control.request(msgspec.structs.replace(report, ends=True))


def test_what_is_not_known_is_left_out() -> None:
    text = with_worker(Load())
    assert "gpu_memory" not in text
    assert "per_hour" not in text
    assert value(text, "warpcore_movies", status="failed") == 1


def test_every_value_of_a_load_has_a_metric() -> None:
    """A new value is declared in `Load`, and nowhere else."""
    numbers = {name: 1 for name in Load.__struct_fields__ if name != "gpu_throttling"}
    text = with_worker(Load(**numbers, gpu_throttling=[Throttling.HEAT]))
    told = {name for name, labels in samples(text) if labels == frozenset(WHO.items())}
    assert len(told) == len(numbers) + 2, "and movies done and failed"


def test_a_histogram_counts_up_to_each_bound() -> None:
    text = exposition(METRICS)
    for bound, count in (("1", 3), ("10", 5), ("+Inf", 6)):
        assert value(text, "warpcore_step_seconds_bucket", step="motion", le=bound) == count
    assert value(text, "warpcore_step_seconds_sum", step="motion") == 42
    assert value(text, "warpcore_step_seconds_count", step="motion") == 6


def test_many_scrapes_ask_the_scheduler_once() -> None:
    class Counting:
        asked = 0

        async def request(self, message: Message, user: str = "") -> Message:
            assert isinstance(message, GetMetrics)
            self.asked += 1
            return METRICS

    scheduler = Counting()

    async def scrape_together() -> None:
        resource = MetricsResource(scheduler, Feed())
        answers = [falcon.asgi.Response() for _ in range(20)]
        request = falcon.testing.create_asgi_req()
        await asyncio.gather(*(resource.on_get(request, answer) for answer in answers))
        assert all("warpcore_movies_left" in (answer.text or "") for answer in answers)

    asyncio.run(scrape_together())
    assert scheduler.asked == 1


MONITORING = Path(__file__).resolve().parents[3] / "deploy" / "monitoring"


def known_metrics() -> set[str]:
    """Every name that a scrape can hold."""
    numbers = {name: 1 for name in Load.__struct_fields__ if name != "gpu_throttling"}
    load = Load(**numbers, gpu_throttling=[Throttling.HEAT])
    return {
        name for name, _ in samples(with_worker(load, rate_per_hour=1.0, reruns_per_hour=1.0, pools=[POOL], waiting=1))
    }


def test_the_example_dashboard_and_alert_rules_name_metrics_that_exist() -> None:
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    shown = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    (group,) = yaml.safe_load((MONITORING / "prometheus-alerts.yml").read_text())["groups"]
    rules = [rule["expr"] for rule in group["rules"]]
    assert len(shown) >= 15
    assert len(rules) >= 9
    named = {name for text in (*shown, *rules) for name in re.findall(r"\bwarpcore_\w+", text)}
    assert named <= known_metrics()
    without_buckets = {name.removesuffix("_bucket") for name in named}
    assert {"warpcore_movies", "warpcore_step_seconds", "warpcore_disk_free_bytes"} <= without_buckets
    assert {f"warpcore_pool_{name}" for name in POOL_METRICS} | {"warpcore_pool_jobs"} <= named
