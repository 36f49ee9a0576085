"""The one device of a compute process: open it and name it."""

from __future__ import annotations

import logging
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from warpcore.services.worker.line import Ready

log = logging.getLogger(__name__)


class DeviceError(RuntimeError):
    """The device that was asked for cannot be used."""


class UnusableError(DeviceError):
    """There is no such device on this host as it is set up, so that trying again cannot help."""


def environment_for(device: str) -> dict[str, str]:
    """Environment variables of a compute process on the device `auto`, `cpu`, `cuda` or `cuda:N`.

    JAX reads them when it is imported, so they must be set before. Raises DeviceError for any other name.
    """
    if device == "auto":
        return {}
    if device == "cpu":
        return {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    kind, _, index = device.partition(":")
    if kind != "cuda" or not (index == "" or index.isdigit()):
        raise DeviceError(f"unknown device {device!r}: use auto, cpu, cuda or cuda:N")
    return {"JAX_PLATFORMS": "cuda,cpu", **({"CUDA_VISIBLE_DEVICES": index} if index else {})}


def open_device(device: str, cache: Path) -> Ready:
    """Open the device, turn on the persistent compilation cache; return what the scheduler is told of the device.

    Raises UnusableError if a GPU was asked for and there is none.
    """
    import jax

    cache.mkdir(parents=True, exist_ok=True)
    set_option: Any = jax.config.update
    set_option("jax_compilation_cache_dir", str(cache))
    set_option("jax_persistent_cache_min_compile_time_secs", 0.2)
    found = jax.devices()[0]
    if device.startswith("cuda") and found.platform not in ("gpu", "cuda"):
        raise UnusableError(
            f"device {device} was asked for, but JAX finds only {found.platform}: is warpcore[cuda] installed?"
        )
    if found.platform == "cpu":
        log.info("no GPU in use: this worker computes on the CPU (%s cores)", len(os.sched_getaffinity(0)))
    return Ready(
        device=_name(found),
        device_memory_mb=_memory_mb(found),
        versions=_versions(),
    )


def unopened(device: str) -> Ready:
    """What the scheduler is told of a device that cannot be opened."""
    return Ready(device=device, device_memory_mb=0, versions=_versions())


def _versions() -> dict[str, str]:
    return {"warpcore": version("warpcore"), "jax": version("jax"), "python": platform.python_version()}


def _name(device: Any) -> str:
    if device.platform == "cpu":
        return f"cpu ({len(os.sched_getaffinity(0))} cores)"
    index = os.environ.get("CUDA_VISIBLE_DEVICES", str(device.id))
    return f"{device.device_kind} (cuda:{index})"


def _memory_mb(device: Any) -> int:
    if device.platform == "cpu":
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    stats = device.memory_stats() or {}
    return int(stats.get("bytes_limit", 0)) // 2**20
