"""The file that says on which batch system the pool's workers run, and how many."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta, Struct, field

from warpcore.bus.limits import LARGEST_POOL
from warpcore.bus.vocabulary import Word
from warpcore.services.pool.jobs import Limits, QueueState

Line = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^\r\n\x00]*\Z")]
Count = Annotated[int, Meta(ge=0, le=LARGEST_POOL)]
Words = Annotated[list[Line], Meta(min_length=1)]


_ONE_SESSION = "the workers of a pool serve its session alone; give another session a pool of its own"
OWN_OPTIONS = {
    **dict.fromkeys(("--scheduler", "--controller-port", "--session"), _ONE_SESSION),
    **dict.fromkeys(("--name", "--pool", "--key"), "they are those of the job"),
    **dict.fromkeys(("--wall-time", "--idle-end"), "set wall_time_min or idle_min"),
}
"""Options of a worker that its pool sets, and what to do instead of naming them in `arguments`."""


class ConfigurationError(Exception):
    """The file cannot be used; one line with the path and what is wrong."""


class Executor(Word):
    """Who starts and ends the jobs."""

    SLURM = "slurm", "Slurm, by sbatch, squeue and scancel."
    PBS = "pbs", "PBS Professional and OpenPBS."
    LSF = "lsf", "IBM Spectrum LSF."
    FLUX = "flux", "Flux, by flux submit, flux jobs and flux cancel."
    LOCAL = "local", "This host: each job is a process."
    COMMANDS = "commands", "The site's own commands, under `[commands]`."


class Commands(Struct, frozen=True, forbid_unknown_fields=True):
    """A site's own commands, each a list of words; no shell reads them.

    `submit`: `{script}` is the job's script; what `id_pattern` finds in the output is the job's id. `status`: `{ids}`
    becomes all ids; it prints a line for each job that there is, `ID STATE` or `ID STATE NAME`: by its name a job is
    found whose id nobody heard. `states`: what each state means. `cancel`: `{id}` is one job's.
    """

    submit: Words
    status: Words
    cancel: Words
    states: Annotated[dict[Line, QueueState], Meta(min_length=1)]
    id_pattern: Line = r"(\d+)"


class Configuration(Struct, frozen=True, forbid_unknown_fields=True):
    """A pool.

    Each job is one worker with `gpus` GPUs, `cpus` cores and `memory_gb` (0: none is asked for), for `wall_time_min` at
    most. `environment` is a script that the job sources first; `program` starts warpcore in a job, the pool's own
    Python where there is none; `arguments` are added to the worker's. `scheduler` is the host of the session's
    scheduler as jobs reach it. `attributes` are further directives of the batch system, such as `qos`. A worker that
    has been idle for `idle_min` ends. The queue is asked each `look_s`; a command of the batch system that takes longer
    than `command_s` is given up, and jobs that are to end with the session are waited for as long.
    """

    executor: Executor
    minimum: Count = 0
    maximum: Count = 4
    queue: Line | None = None
    account: Line | None = None
    gpus: Annotated[int, Meta(ge=0, le=16)] = 1
    cpus: Annotated[int, Meta(ge=1, le=1024)] = 8
    memory_gb: Annotated[float, Meta(ge=0)] = 32.0
    wall_time_min: Annotated[float, Meta(ge=1)] = 24 * 60.0
    idle_min: Annotated[float, Meta(ge=0.1)] = 15.0
    environment: str | None = None
    program: list[Line] = field(default_factory=list)
    scheduler: Line | None = None
    arguments: list[Line] = field(default_factory=list)
    attributes: dict[Line, Line] = field(default_factory=dict)
    commands: Commands | None = None
    look_s: Annotated[float, Meta(ge=0.2, le=300)] = 10.0
    command_s: Annotated[float, Meta(ge=1, le=600)] = 60.0

    @property
    def limits(self) -> Limits:
        """How many workers there may be."""
        return Limits(self.minimum, self.maximum)


def read_configuration(path: Path) -> Configuration:
    """The file, checked. Raises ConfigurationError."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        found = msgspec.convert(raw, Configuration)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}; give another file") from None
    except (ValueError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{path}: {error}; docs/pool.md shows what it holds") from None
    if fault := _fault(found):
        raise ConfigurationError(f"{path}: {fault}")
    return found


def _fault(found: Configuration) -> str:
    """What does not go together; empty where all does."""
    if found.minimum > found.maximum:
        return f"minimum {found.minimum} is above maximum {found.maximum}"
    if (found.executor is Executor.COMMANDS) != (found.commands is not None):
        return "the executor `commands`, and no other, has a section [commands]"
    if found.environment is not None and not Path(found.environment).is_file():
        return f"environment {found.environment} is no file; the job sources it before the worker starts"
    for option in (word.partition("=")[0] for word in found.arguments):
        if option in OWN_OPTIONS:
            return f"arguments name {option}, which the pool gives each worker by itself: {OWN_OPTIONS[option]}"
    return "" if found.commands is None else _fault_of_commands(found.commands)


def _fault_of_commands(found: Commands) -> str:
    for name, words, word in (("submit", found.submit, "{script}"), ("cancel", found.cancel, "{id}")):
        if not any(word in one for one in words):
            return f"commands.{name} does not name {word}"
    try:
        re.compile(found.id_pattern)
    except re.error as error:
        return f"commands.id_pattern is no regular expression: {error}"
    return ""
