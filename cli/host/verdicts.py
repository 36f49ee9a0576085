"""What the facts of a host mean: one line each, with what to do where something is to be done. Pure.

What is said of folders stands in `folders.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from warpcore.bus.envelope import WIRE_VERSION
from warpcore.cli.host.facts import (
    ClockFacts,
    GpuFacts,
    HostFacts,
    LimitFacts,
    PortFacts,
    SchedulerFacts,
    SoftwareFacts,
)
from warpcore.cli.host.folders import folder_verdicts
from warpcore.cli.host.verdict import GIB, Judgement, Verdict, good, noted, wrong

FEWEST_FILES = 4096
"""Open files of a scheduler to which a thousand workers and readers connect; the usual limit of a shell is 1024."""
FEWEST_PROCESSES = 1024
"""Processes and threads of a user: a worker has about 60 threads, the API 40."""
FEWEST_WATCHES = 8192
"""One for each folder of the data directory; EPU writes a folder a square."""
LEAST_MEMORY = 8 * GIB
"""A movie of 40 frames of 4096² pixels has 2.7 GB as float32; three are in hand at a time."""
MOST_AHEAD_S = 5.0
"""Clocks are compared for people alone: logs, reports and the times of files are hard to read when they differ."""


def all_verdicts(facts: HostFacts) -> list[Verdict]:
    """All lines, in the order of the table."""
    return [
        *software_verdicts(facts.software, facts.packages),
        *gpu_verdicts(facts.gpus),
        *limit_verdicts(facts.limits),
        *folder_verdicts(facts.data, facts.processing, facts.state_advice),
        *(port_verdicts(facts.ports) if facts.ports is not None else ()),
        *scheduler_verdicts(facts.scheduler, facts.software.warpcore),
        *clock_verdicts(facts.clock),
    ]


def has_fault(verdicts: list[Verdict]) -> bool:
    """Whether anything is wrong."""
    return any(one.judgement is Judgement.WRONG for one in verdicts)


def software_verdicts(software: SoftwareFacts, packages: dict[str, str]) -> Iterator[Verdict]:
    """Python, warpcore, what it requires, the live page and encryption."""
    yield good("python", f"{software.python}, {software.executable}")
    if software.missing:
        install = "install warpcore again in this environment (pip install)"
        yield wrong("packages", f"not installed: {', '.join(software.missing)}", install)
    else:
        versions = ", ".join(f"{name} {version}" for name, version in packages.items())
        yield good("packages", f"warpcore {software.warpcore}, {versions}")
    if not software.has_page:
        build = "install the wheel, or build the page with node: python deploy/build_page.py build"
        yield noted("live page", "it is not built; REST and commands work without it", build)
    if not software.has_curve:
        yield wrong("encryption", "libzmq has no CURVE, so keys cannot be used", "install pyzmq from PyPI")


def gpu_verdicts(found: GpuFacts) -> Iterator[Verdict]:
    """GPUs, NVIDIA's driver, and what JAX computes on."""
    if not found.gpus:
        yield noted("GPU", "none: workers of this host compute on the CPU, which is many times slower")
    else:
        driver = f", driver {found.driver}" if found.driver else ""
        yield good("GPU", f"{len(found.gpus)} to use ({', '.join(found.gpus)}){driver}")
        if not found.has_plugin:
            yield wrong("CUDA", "JAX is installed without it, so no worker uses a GPU", "pip install 'warpcore[cuda]'")
    if found.fault:
        yield wrong("JAX", found.jax or "it does not start", found.fault)
    elif found.jax:
        yield good("JAX", f"computes on {found.jax}")


def limit_verdicts(found: LimitFacts) -> Iterator[Verdict]:
    """Cores, memory, and what the operating system allows."""
    memory = f"{found.cores} cores, {found.memory_bytes / GIB:.0f} GiB, {found.free_memory_bytes / GIB:.0f} GiB free"
    if found.free_memory_bytes < LEAST_MEMORY:
        yield noted("memory", memory, f"a worker on full movies wants about {LEAST_MEMORY / GIB:.0f} GiB: start fewer")
    else:
        yield good("memory", memory)
    limits = (
        ("open files", found.files, FEWEST_FILES, "raise it: LimitNOFILE= of a unit, nofile in limits.conf"),
        ("processes", found.processes, FEWEST_PROCESSES, "raise it: TasksMax= of a unit, nproc in limits.conf"),
        (
            "watched folders",
            found.inotify_watches,
            FEWEST_WATCHES,
            "sysctl fs.inotify.max_user_watches=524288, or --no-watch: scans find movies too",
        ),
    )
    for subject, most, fewest, advice in limits:
        if most is not None and most < fewest:
            yield noted(subject, f"at most {most}; {fewest} are advised", advice)
        else:
            yield good(subject, "no limit" if most is None else f"at most {most}")


def port_verdicts(found: PortFacts) -> Iterator[Verdict]:
    """Whether a session can bind its ports."""
    ports = ", ".join(map(str, found.ports))
    if found.holder:
        yield good("ports", f"{ports}: held by your session {found.holder}")
    elif not found.faults:
        yield good("ports", f"{ports} are free at {found.bind}")
    for fault in () if found.holder else found.faults:
        what, _, advice = fault.rpartition("; ")
        yield wrong("port", what, advice)


def scheduler_verdicts(found: SchedulerFacts, own_version: str) -> Iterator[Verdict]:
    """The scheduler, its version and the key under which it is asked."""
    if found.key_problem:
        yield wrong("key", found.key_problem, "give --key FILE; `warpcore keys add` makes one on the scheduler's host")
    elif found.key:
        yield good("key", found.key)
    if found.problem:
        say = wrong if found.is_expected else noted
        advice = "start it, or mend what the line says" if found.is_expected else "none need run before `warpcore up`"
        yield say("scheduler", found.problem, advice)
    elif found.refusal:
        yield good("scheduler", f"{found.endpoint} answers; of its version it tells nothing to this key")
    elif found.version and found.version != own_version:
        yield wrong(
            "version",
            f"{found.endpoint} runs warpcore {found.version}, this host {own_version}",
            "install the same version on both: they talk, but may compute differently",
        )
    elif found.version:
        yield good("scheduler", f"{found.endpoint}: warpcore {found.version}, wire version {WIRE_VERSION}, as here")


def clock_verdicts(found: ClockFacts) -> Iterator[Verdict]:
    """This host's clock, and against the scheduler's."""
    set_it = "set it: timedatectl set-ntp true, or chronyd"
    if found.wall_s < found.newest_s:
        yield wrong(
            "clock", f"it is {_duration(found.newest_s - found.wall_s)} before files of warpcore itself", set_it
        )
    elif not found.is_monotonic:
        yield wrong(
            "clock", "this system has no monotonic clock, by which all waits are measured", "use another kernel"
        )
    elif found.scheduler_ahead_s is None:
        yield good("clock", "monotonic; there was no scheduler to compare it with")
    elif abs(found.scheduler_ahead_s) > MOST_AHEAD_S + found.uncertain_s:
        side = "ahead of" if found.scheduler_ahead_s > 0 else "behind"
        off = f"the scheduler's is {_duration(abs(found.scheduler_ahead_s))} {side} it"
        yield noted("clock", f"{off}; no decision depends on that, but logs do", set_it)
    else:
        yield good("clock", f"within {abs(found.scheduler_ahead_s) + found.uncertain_s:.2g} s of the scheduler's")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 3600:.1f} h"
