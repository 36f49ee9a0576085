"""Looks at this host: what `facts.py` holds. Each look may wait as long as its file system, driver or host does."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import psutil
import zmq

from warpcore.cli.host.facts import ClockFacts, GpuFacts, LimitFacts, PortFacts, SoftwareFacts
from warpcore.cli.preflight import port_faults
from warpcore.services.process.versions import package_version, warpcore_version

DISTRIBUTION = "warpcore"
RESULTS_DEPEND_ON = ("numpy", "scipy", "jax", "jaxlib", "pyzmq")
JAX_PATIENCE_S = 120.0
_JAX = """
import json
from warpcore.services.worker.backends import Found, has_driver, has_plugin, misfit
import jax
one = jax.devices()[0]
found = Found(one.platform, getattr(one.client, "platform_version", ""), one.device_kind)
fault = misfit(has_plugin() and has_driver(), found, has_plugin(), has_driver())
print(json.dumps([f"{one.device_kind} ({one.platform})", fault or ""]))
"""
"""In a process of its own: a driver that is not well may end it, or let it hang."""


def software() -> SoftwareFacts:
    """Python, warpcore and what it requires."""
    from warpcore.services.api.live_page import BUILT_PAGE, INDEX

    return SoftwareFacts(
        python=f"{platform.python_implementation()} {platform.python_version()} ({platform.machine()})",
        executable=sys.executable,
        warpcore=warpcore_version(),
        missing=tuple(name for name in _required() if package_version(name) is None),
        has_page=(BUILT_PAGE / INDEX).is_file(),
        has_curve=bool(zmq.has("curve")),
    )


def packages() -> dict[str, str]:
    """Versions of packages that results or messages depend on, of those that are installed."""
    found = {name: package_version(name) for name in RESULTS_DEPEND_ON}
    return {name: version for name, version in found.items() if version is not None}


def gpus(*, with_jax: bool) -> GpuFacts:
    """GPUs that workers may use, and what JAX computes on, where it is asked."""
    from warpcore.cli.devices import visible_gpus
    from warpcore.services.worker.backends import has_plugin

    kind, fault = _jax() if with_jax else ("", "")
    return GpuFacts(tuple(visible_gpus()), _driver(), has_plugin(), kind, fault)


def ports(bind: str, by_option: dict[str, int]) -> PortFacts:
    """The ports of a session, by the option that sets each."""
    from warpcore.services.access.sessions import session_at

    session = session_at("127.0.0.1", by_option["--control-port"])
    holder = "" if session is None else session.name
    return PortFacts(bind, tuple(by_option.values()), tuple(port_faults(bind, by_option)), holder)


def limits() -> LimitFacts:
    """Limits of this process, which services that it starts would have too."""
    memory = psutil.virtual_memory()
    return LimitFacts(
        files=_limit(resource.RLIMIT_NOFILE),
        processes=_limit(resource.RLIMIT_NPROC),
        inotify_watches=_number(Path("/proc/sys/fs/inotify/max_user_watches")),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=memory.total,
        free_memory_bytes=memory.available,
    )


def clock(scheduler_ahead_s: float | None, uncertain_s: float) -> ClockFacts:
    """This host's clock; the comparison with the scheduler's is the caller's."""
    newest = max((os.stat(file).st_mtime for file in (__file__, sys.executable)), default=0.0)
    monotonic = time.get_clock_info("monotonic").monotonic
    return ClockFacts(time.time(), newest, monotonic, scheduler_ahead_s, uncertain_s)


def _required() -> list[str]:
    """Names of the distributions that warpcore requires without its extras."""
    lines = importlib.metadata.requires(DISTRIBUTION) if package_version(DISTRIBUTION) else None
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines or () if "extra ==" not in line]


def _jax() -> tuple[str, str]:
    """What JAX computes on, and why that will not do."""
    command = [sys.executable, "-c", _JAX]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=JAX_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return "", f"JAX does not start within {JAX_PATIENCE_S:.0f} s: look at nvidia-smi"
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        said = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
        return "", f"JAX does not start ({said[:200]}): install warpcore again in this environment"
    kind, fault = json.loads(lines[-1])
    return kind, fault


def _driver() -> str:
    """The version of NVIDIA's driver, "" where none tells it."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        return ""
    found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", text)
    return found[1] if found else ""


def _limit(kind: int) -> int | None:
    _, hard = resource.getrlimit(kind)
    return None if hard == resource.RLIM_INFINITY else hard


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return None
