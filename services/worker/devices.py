"""The one device of a compute process: open it and name it."""

from __future__ import annotations

import logging
import os
import platform
import re
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from warpcore.services.process.private import not_private
from warpcore.services.worker.backends import ON_CPU, Found, has_driver, has_plugin, misfit, why_no_gpu
from warpcore.services.worker.failures import is_out_of_device_memory
from warpcore.services.worker.kernel_cache import drop_damaged
from warpcore.services.worker.line import Ready

log = logging.getLogger(__name__)


GPU_FLAGS = ("--xla_gpu_deterministic_ops=true", "--xla_gpu_autotune_level=0")
"""XLA on a GPU, so that equal input gives equal bytes: no atomic sums; no kernels that a race on this card chooses.
XLA ends the process on a flag that it does not know; these are in all of JAX 0.6 to 0.11."""


_FRACTIONS = ("XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION")
"""JAX's name for the most that a process takes of a GPU's memory, and its older name."""


class DeviceError(RuntimeError):
    """The device that was asked for cannot be used."""


class UnusableError(DeviceError):
    """There is no such device on this host as it is set up, so that trying again cannot help."""


class FullError(DeviceError):
    """Other programs use up the device's memory; trying again later may help."""


def gpu_of(device: str) -> str | None:
    """The GPU that a device name names, as `CUDA_VISIBLE_DEVICES` takes it; "" for any, None for `auto` and `cpu`.

    Raises DeviceError for a name that is none of `auto`, `cpu`, `cuda`, `cuda:N`, `cuda:GPU-…` and `cuda:MIG-…`.
    """
    if device in ("auto", "cpu"):
        return None
    named = re.fullmatch(r"cuda(?::(\d+|(?:GPU|MIG)-[\w/-]+))?", device, re.ASCII)
    if named is None:
        raise DeviceError(f"unknown device {device!r}: use auto, cpu, cuda, cuda:N or cuda:UUID")
    return named[1] or ""


def environment_for(device: str, own: Mapping[str, str] = os.environ, processes: int = 1) -> dict[str, str]:
    """Environment variables of each of `processes` on a device, to be set over `own`; what the user has set holds.

    JAX reads them when it is imported, so they must be set before. Raises DeviceError for an unknown device.
    """
    gpu = gpu_of(device)
    if device == "cpu":
        return {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    if gpu is None:
        return {}
    return {
        "JAX_PLATFORMS": "cuda,cpu",
        **({"CUDA_VISIBLE_DEVICES": gpu} if gpu else {}),
        # Without it CUDA numbers the fastest card first, and NVML and nvidia-smi number by the PCI bus.
        **({} if "CUDA_DEVICE_ORDER" in own else {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}),
        # The host's matrices are small: threads of its linear algebra would only wait for each other.
        **({} if "OPENBLAS_NUM_THREADS" in own else {"OPENBLAS_NUM_THREADS": "1"}),
        **memory_environment(processes, own),
        **_flags(own),
    }


def memory_environment(processes: int, own: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Variables by which each of `processes` on one GPU takes memory as it needs it, up to its share.

    A fraction that the user has set is that of all of them together.
    """
    environment = {}
    if "XLA_PYTHON_CLIENT_PREALLOCATE" not in own:
        environment["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    given = own_fraction(own)
    if given is None:
        environment[_FRACTIONS[0]] = f"{memory_fraction(processes):.3f}"
    elif processes > 1:
        (name,) = (name for name in _FRACTIONS if name in own)  # JAX refuses both together
        environment[name] = f"{given / processes:.3f}"
    return environment


def own_fraction(own: Mapping[str, str]) -> float | None:
    """The most of a GPU's memory that the user lets a worker take, as a fraction; None where that is not set.

    Raises DeviceError for what is no number.
    """
    given = next((own[name] for name in _FRACTIONS if name in own), None)
    try:
        return None if given is None else float(given)
    except ValueError:
        raise DeviceError(f"{_FRACTIONS[0]}={given}: use a fraction of the GPU's memory such as 0.4") from None


def memory_fraction(processes: int) -> float:
    """The most of a GPU's memory that one of `processes` on it takes.

    The rest is for what CUDA holds beside it, about 0.5 GB a process, and for a screen.
    """
    return 0.9 if processes <= 1 else 0.8 / processes


def _flags(own: Mapping[str, str]) -> dict[str, str]:
    """`XLA_FLAGS` with those of `GPU_FLAGS` that the user has not set. A file of flags stays as it is."""
    given = own.get("XLA_FLAGS", "")
    if given.strip() and not given.lstrip().startswith("--"):
        return {}
    set_by_user = {flag.partition("=")[0] for flag in given.split()}
    added = [flag for flag in GPU_FLAGS if flag.partition("=")[0] not in set_by_user]
    return {"XLA_FLAGS": " ".join([*added, *given.split()])} if added else {}


def open_device(device: str, cache: Path) -> Ready:
    """Open the device, turn on the persistent compilation cache; return what the scheduler is told of the device.

    Raises UnusableError where this host, as it is set up, has no device that fits, FullError where its memory is used
    up, and DeviceError where it cannot be opened. Each says in one line what was found and what to do.
    """
    import jax

    set_option: Any = jax.config.update
    if shared := not_private(cache):
        log.warning("compiled kernels are not kept: %s; give this user a folder with WARPCORE_CACHE", shared)
    else:
        drop_damaged(cache)
        set_option("jax_compilation_cache_dir", str(cache))
    set_option("jax_persistent_cache_min_compile_time_secs", 0.2)
    try:
        found = jax.devices()[0]
    except (RuntimeError, ValueError) as error:  # the latter for impossible settings of memory
        raise not_opened(device, str(error)) from None
    kind = Found(found.platform, getattr(found.client, "platform_version", ""), found.device_kind)
    fault = misfit(gpu_of(device) is not None, kind, has_plugin(), has_driver())
    if fault is not None:
        missing = found.platform == "cpu" and has_plugin() and has_driver()  # fallen off the bus, or a wrong number
        raise (DeviceError if missing else UnusableError)(f"device {device}: {fault}")
    if found.platform == "cpu":
        log.info("no GPU in use: this worker computes on the CPU (%s cores)", len(os.sched_getaffinity(0)))
    else:
        # JAX's own choice is TF32, of 10 bits, which moves the scores of picking.
        set_option("jax_default_matmul_precision", "highest")
        # Kernels for a GPU are many and each compiles fast, so all are kept.
        set_option("jax_persistent_cache_min_compile_time_secs", 0.0)
    return Ready(device=_name(found), device_memory_mb=_memory_mb(found), versions=_versions())


def not_opened(device: str, text: str) -> DeviceError:
    """The error for what JAX raises where it cannot open a backend, such as a GPU that has fallen off the bus."""
    if gpu_of(device) is not None and not has_plugin():
        return UnusableError(f"device {device}: {why_no_gpu(plugin=False, driver=has_driver())}")
    first_line = (text.strip() or "no reason given").splitlines()[0]
    if is_out_of_device_memory(RuntimeError(text)):
        return FullError(f"device {device}: other programs use up its memory ({first_line}); see nvidia-smi")
    return DeviceError(f"device {device}: JAX cannot open it: {first_line}; see nvidia-smi, or {ON_CPU}")


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
