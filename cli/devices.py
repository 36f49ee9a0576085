"""Which device and how many threads each worker gets, found without loading JAX."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

log = logging.getLogger(__name__)

CPU_WORKER_THREADS = 4
"""JAX threads of each worker on the CPU. JAX splits sums by the number of threads, so that another number would change
the last bits of results. Many cores are used by many workers."""

_DRIVER = Path("/proc/driver/nvidia/gpus")


def visible_gpus(environment: Mapping[str, str] = os.environ, driver: Path = _DRIVER) -> list[str]:
    """Indices of the GPUs that workers may use: all, or those in `CUDA_VISIBLE_DEVICES`."""
    chosen = environment.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [index.strip() for index in chosen.split(",") if index.strip().isdigit()]
    return [str(index) for index in range(_count_gpus(driver))]


def worker_devices(wanted: int | None, gpus: list[str]) -> list[str]:
    """A device for each worker: one a GPU where `wanted` is None, else `wanted` spread over the GPUs; or the CPU."""
    if wanted is None:
        return [f"cuda:{index}" for index in gpus] or ["cpu"]
    return [f"cuda:{gpus[number % len(gpus)]}" if gpus else "cpu" for number in range(wanted)]


def thread_environment(device: str, workers: int, cores: int) -> dict[str, str]:
    """Environment variables that limit the threads of each of `workers` workers on a host with `cores` cores."""
    share = str(max(1, cores // max(1, workers)))
    environment = {"OMP_NUM_THREADS": share, "OPENBLAS_NUM_THREADS": "1"}
    if device == "cpu":
        # JAX's CPU client takes the size of its thread pool from NPROC.
        environment["NPROC"] = str(max(1, min(cores, CPU_WORKER_THREADS)))
    return environment


def bound_own_threads(device: str) -> None:
    """Set the variables of `thread_environment` for this process and its children, unless they are set already.

    Call before NumPy and JAX are loaded. So a worker that is started by hand computes exactly what one of `up` does.
    """
    on_cpu = device == "cpu" or (device == "auto" and not visible_gpus())
    for name, value in thread_environment("cpu" if on_cpu else device, 1, len(os.sched_getaffinity(0))).items():
        os.environ.setdefault(name, value)


def _count_gpus(driver: Path) -> int:
    """Ask NVIDIA's library where its Python binding is installed, else count what the driver shows in /proc."""
    try:
        import pynvml
    except ImportError:
        return len(list(driver.iterdir())) if driver.is_dir() else 0
    try:
        pynvml.nvmlInit()
        try:
            return int(pynvml.nvmlDeviceGetCount())
        finally:
            pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        log.debug("no GPU by NVML: %s", error)
        return 0
