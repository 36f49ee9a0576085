"""What a heartbeat tells of the machine: memory of the computation; memory and temperature of the GPU, if any."""

from __future__ import annotations

import contextlib
import os

import psutil

from warpcore.bus.messages import Load


def measure_load(compute_pid: int | None) -> Load:
    """The memory of the compute process, and what NVML tells of the GPU."""
    load = _gpu_load()
    if compute_pid is not None:
        with contextlib.suppress(psutil.Error):
            load = load.updated(Load(host_memory_mb=psutil.Process(compute_pid).memory_info().rss // 2**20))
    return load


def _gpu_load() -> Load:
    try:
        import pynvml
    except ImportError:
        return Load()
    try:
        pynvml.nvmlInit()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
        if not visible.isdigit():
            return Load()
        handle = pynvml.nvmlDeviceGetHandleByIndex(int(visible))
        return Load(
            gpu_memory_mb=int(pynvml.nvmlDeviceGetMemoryInfo(handle).used) // 2**20,
            gpu_temperature_c=int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU)),
        )
    except pynvml.NVMLError:
        return Load()
