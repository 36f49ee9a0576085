"""Folders that workers of one user share on a host: compiled kernels, and who uses which GPU."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def cache_directory() -> Path:
    """Where compiled kernels are kept between runs; `WARPCORE_CACHE` moves it."""
    return _cache() / "jax"


def lock_folder() -> Path:
    """Where workers of one user show which GPUs they use. A home that several hosts share does no harm: see UUIDs."""
    return _cache() / "gpus"


def _cache() -> Path:
    return Path(os.environ.get("WARPCORE_CACHE") or platformdirs.user_cache_dir("warpcore"))
