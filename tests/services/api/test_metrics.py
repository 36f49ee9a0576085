"""Metrics as Prometheus' own parser reads them."""

from __future__ import annotations

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from tests.services.api.rest_session import Api
from warpcore.bus.messages import Load, ProcessingStatus, Worker
from warpcore.bus.vocabulary import Throttling, WorkerState
from warpcore.services.api.metrics import exposition

STATUS = ProcessingStatus(
    is_processing=True,
    counts={"processed": 7, "failed": 1},
    total=8,
    left=0,
    rate_per_hour=None,
    rate_window_s=600.0,
    workers=1,
    running=[],
    seq=1,
    data_directory="/data",
    processing_directory="/processing",
)
WORKER = Worker("h/cuda:0", "h", 3, "NVIDIA H100 (cuda:0)", 80_000, {}, WorkerState.BUSY, done=5, failed=1)
WHO = {"worker": "h/cuda:0", "host": "h", "device": "NVIDIA H100 (cuda:0)"}


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Values by name and labels."""
    families = list(text_string_to_metric_families(text))
    assert all(family.documentation for family in families)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def value(text: str, name: str, **labels: str) -> float | None:
    return samples(text).get((name, frozenset(labels.items())))


def test_a_session_tells_its_movies_and_workers(api: Api) -> None:
    answer = api.http.get("/api/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert value(answer.text, "warpcore_movies", status="processed") == 3
    assert value(answer.text, "warpcore_movies", status="failed") == 1
    assert value(answer.text, "warpcore_processing") == 1
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
    text = exposition(STATUS, [msgspec.structs.replace(WORKER, load=load)])
    assert value(text, "warpcore_worker_gpu_memory_bytes", **WHO) == 2 * 2**20
    assert value(text, "warpcore_worker_gpu_temperature_celsius", **WHO) == 61
    assert value(text, "warpcore_worker_gpu_utilisation_ratio", **WHO) == 0.4
    assert value(text, "warpcore_worker_gpu_power_watts", **WHO) == 300
    assert value(text, "warpcore_worker_gpu_ecc_uncorrected", **WHO) == 2
    assert value(text, "warpcore_worker_gpu_throttling", reason=Throttling.HEAT, **WHO) == 1
    assert value(text, "warpcore_worker_state", state="busy", **WHO) == 1
    assert value(text, "warpcore_worker_movies_done_total", **WHO) == 5


def test_what_is_not_known_is_left_out() -> None:
    text = exposition(STATUS, [WORKER])
    assert "gpu_memory" not in text
    assert "per_hour" not in text
    assert value(text, "warpcore_movies", status="failed") == 1


def test_every_value_of_a_load_has_a_metric() -> None:
    """A new value is declared in `Load`, and nowhere else."""
    numbers = {name: 1 for name in Load.__struct_fields__ if name != "gpu_throttling"}
    text = exposition(STATUS, [msgspec.structs.replace(WORKER, load=Load(**numbers, gpu_throttling=[Throttling.HEAT]))])
    told = {name for name, labels in samples(text) if labels == frozenset(WHO.items())}
    assert len(told) == len(numbers) + 2, "and movies done and failed"
