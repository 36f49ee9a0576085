"""What a heartbeat tells of the machine: memory of the computation; memory and temperature of the GPU, if any."""

from __future__ import annotations

import contextlib
import os
from typing import Any

import psutil


def measure_load(compute_pid: int | None) -> dict[str, Any]:
    """`host_memory_mb` of the compute process; `gpu_memory_mb` and `gpu_temperature_c` where NVML answers."""
    load: dict[str, Any] = {}
    if compute_pid is not None:
        with contextlib.suppress(psutil.Error):
            load["host_memory_mb"] = psutil.Process(compute_pid).memory_info().rss // 2**20
    return load | _gpu_load()


def _gpu_load() -> dict[str, Any]:
    try:
        import pynvml
    except ImportError:
        return {}
    try:
        pynvml.nvmlInit()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
        if not visible.isdigit():
            return {}
        handle = pynvml.nvmlDeviceGetHandleByIndex(int(visible))
        return {
            "gpu_memory_mb": int(pynvml.nvmlDeviceGetMemoryInfo(handle).used) // 2**20,
            "gpu_temperature_c": int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
        }
    except pynvml.NVMLError:
        return {}
