"""What is found on a host, as plain values; None and empty texts stand for what could not be found out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SoftwareFacts:
    """`missing` are distributions that warpcore requires and that are not there; `page`: the live page is built."""

    python: str
    executable: str
    warpcore: str
    missing: tuple[str, ...] = ()
    has_page: bool = True
    has_curve: bool = True


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """`gpus` are those that workers may use. `jax` is what JAX computes on, `fault` why that is not what is wanted."""

    gpus: tuple[str, ...] = ()
    driver: str = ""
    has_plugin: bool = False
    jax: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class PortFacts:
    """`faults` of the ports that a session would bind at `bind`; `holder` is this user's own session there."""

    bind: str
    ports: tuple[int, ...]
    faults: tuple[str, ...] = ()
    holder: str = ""


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """A folder. `problem`: why it cannot be used at all. `failed`: what does not work there and must, `has_links`: hard
    links do.

    `exists`: it need not be made first. `device` and `own_device` are the file systems of the folder and of `.warpcore`
    in it. `mtime_ahead_s`: by how much the file system's clock, which gives files their times, is ahead of this host's.
    """

    path: str
    exists: bool = True
    mount: str = ""
    kind: str = ""
    device: int | None = None
    own_device: int | None = None
    free_bytes: int | None = None
    free_inodes: int | None = None
    problem: str = ""
    failed: tuple[str, ...] = ()
    has_links: bool = True
    mtime_ahead_s: float | None = None


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """`wall_s` is now in seconds since the epoch; `newest_s` the time of a file that is certainly older than now.

    `scheduler_ahead_s` with its uncertainty, half the time that the answer took.
    """

    wall_s: float
    newest_s: float
    is_monotonic: bool = True
    scheduler_ahead_s: float | None = None
    uncertain_s: float = 0.0


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """The most that a process or user may have; None for no limit."""

    files: int | None = None
    processes: int | None = None
    inotify_watches: int | None = None
    cores: int = 1
    memory_bytes: int = 0
    free_memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class SchedulerFacts:
    """The scheduler at `endpoint`: `problem` is why it did not answer, `is_expected` whether one should run there.

    `refusal`: it answered, and refused to tell more, as it does to keys of workers. `key` names the key file in use.
    """

    endpoint: str
    is_expected: bool = False
    version: str = ""
    problem: str = ""
    refusal: str = ""
    key: str = ""
    key_problem: str = ""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """All of it. A folder that was not named is None."""

    software: SoftwareFacts
    gpus: GpuFacts
    ports: PortFacts | None
    clock: ClockFacts
    limits: LimitFacts
    scheduler: SchedulerFacts
    data: FolderFacts | None = None
    processing: FolderFacts | None = None
    state_advice: str = ""
    """What to do about the place of the scheduler's database."""
    packages: dict[str, str] = field(default_factory=dict)
    """Versions of packages that results depend on."""
