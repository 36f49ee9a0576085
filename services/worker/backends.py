"""What JAX can compute on here, and why it may not be an NVIDIA GPU. Asks without loading JAX."""

from __future__ import annotations

import pkgutil
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

ON_CPU = "compute on the CPU with --device cpu"
NO_PLUGIN = "JAX is installed without CUDA: pip install 'warpcore[cuda]'"


class Found(NamedTuple):
    """What JAX computes on: its `platform` (`cpu`, `gpu`, `tpu`, `METAL` …), that platform's version, the device."""

    platform: str
    version: str
    kind: str


def misfit(wants_gpu: bool, found: Found, plugin: bool, driver: bool) -> str | None:
    """Why a worker cannot use what JAX has found, and what to do; None where it can.

    `plugin`: JAX's CUDA plugin is installed. `driver`: NVIDIA's driver runs.
    """
    if found.platform == "cpu":
        return why_no_gpu(plugin, driver) if wants_gpu else None
    if found.platform in ("gpu", "cuda") and "rocm" not in found.version.lower():
        return None
    name = "AMD GPU (ROCm)" if "rocm" in found.version.lower() or found.platform == "rocm" else found.platform
    return (
        f"JAX finds {name} ({found.kind}), on which warpcore has not been tested: "
        f"use an NVIDIA GPU with warpcore[cuda], or {ON_CPU}"
    )


def why_no_gpu(plugin: bool, driver: bool) -> str:
    """Why JAX finds no GPU at all, and what to do."""
    if not driver:
        return f"NVIDIA's driver does not run on this host (nvidia-smi): install or load it, or {ON_CPU}"
    if not plugin:
        return f"{NO_PLUGIN}, or {ON_CPU}"
    return f"JAX finds no such GPU: compare nvidia-smi -L and CUDA_VISIBLE_DEVICES, or {ON_CPU}"


def has_plugin() -> bool:
    """Whether JAX's plugin for CUDA is installed, of whichever CUDA version: found where JAX looks for it."""
    try:
        import jax_plugins
    except ImportError:
        found: set[str] = set()
    else:
        found = {module.name for module in pkgutil.iter_modules(jax_plugins.__path__)}
    return any("cuda" in name for name in found | entry_points(group="jax_plugins").names)


def has_driver() -> bool:
    """Whether NVIDIA's driver runs on this host."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()
