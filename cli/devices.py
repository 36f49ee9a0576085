"""Which device and how many threads each worker gets, found without loading JAX."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from warpcore.services.worker import gpus
from warpcore.services.worker.backends import has_plugin
from warpcore.services.worker.devices import environment_for, gpu_of
from warpcore.services.worker.nvml import host_uuids, open_nvml

CPU_WORKER_THREADS = 4
"""JAX threads of each worker on the CPU. JAX splits sums by the number of threads, so that another number would change
the last bits of results. Many cores are used by many workers."""


def visible_gpus(environment: Mapping[str, str] = os.environ, uuids: Sequence[str] | None = None) -> list[str]:
    """The GPUs that workers may use, as `CUDA_VISIBLE_DEVICES` names them: those that it names, or all of the host.

    `uuids` are those of the host's GPUs; left out, NVML or the driver is asked.
    """
    host = host_uuids(open_nvml()) if uuids is None else uuids
    return [gpu.name for gpu in gpus.visible_gpus(environment.get("CUDA_VISIBLE_DEVICES"), host)]


def usable_gpus() -> list[str]:
    """The visible GPUs where JAX's plugin for CUDA is installed, else none."""
    return visible_gpus() if has_plugin() else []


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
    on_cpu = device == "cpu" or (device == "auto" and not usable_gpus())
    for name, value in thread_environment("cpu" if on_cpu else device, 1, len(os.sched_getaffinity(0))).items():
        os.environ.setdefault(name, value)


def use_device(device: str) -> str:
    """Set the variables of this process for computing in it; the device that is meant: `auto` is the first GPU.

    Call before NumPy and JAX are loaded. Raises DeviceError for an unknown device.
    """
    bound_own_threads(device)
    if gpu_of(device) in (None, "") and device != "cpu" and (seen := usable_gpus()):
        device = f"cuda:{seen[0]}"
    os.environ.update(environment_for(device))
    return device
