"""What the pool asks of a batch system, and a site's own commands as one."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from warpcore.services.pool.configuration import Commands
from warpcore.services.pool.jobs import QueueState

LONGEST_WORDS = 300
_UNKNOWN_OUTCOME = re.compile(r"timed out|zero bytes|communication failure|end of file|connection reset", re.IGNORECASE)


class BatchFault(Exception):
    """The batch system failed, did not answer, or answered nonsense. Nothing is known of what was asked."""


class RefusedError(Exception):
    """The batch system has not taken a job; the text is its own."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the batch system says: `states` by its own ids, and its ids by the `names` of jobs, where it tells names."""

    states: Mapping[str, QueueState]
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """One job: its name, the command that it runs, and where what it prints goes."""

    name: str
    command: Sequence[str]
    log: Path


class Batch(Protocol):
    """A batch system. Every call may take a while."""

    def submit(self, request: Request) -> str:
        """Hand a job over; the batch system's id of it. Raises RefusedError, or BatchFault where it may run or not."""
        ...

    def status(self, native_ids: Collection[str], names: Collection[str]) -> Listing:
        """How jobs are; one that the batch system does not know is left out. Raises BatchFault.

        `names` are those of jobs whose ids are not known, since nobody heard the outcome of their submission.
        """
        ...

    def cancel(self, native_id: str) -> None:
        """Ask for the end of a job; one that is gone already is no fault. Raises BatchFault."""
        ...


def run(command: Sequence[str], within_s: float) -> tuple[int, str]:
    """Exit code and output of a command; its errors, too, where it fails. Raises BatchFault as `finished`."""
    done = finished(command, within_s)
    return done.returncode, done.stdout if done.returncode == 0 else f"{done.stdout}\n{done.stderr}"


def finished(command: Sequence[str], within_s: float) -> subprocess.CompletedProcess[str]:
    """A command that has ended. Raises BatchFault where it cannot be run or takes too long."""
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=within_s
        )
    except subprocess.TimeoutExpired:
        raise BatchFault(f"{command[0]} has not answered within {within_s:g} s") from None
    except OSError as error:
        raise BatchFault(f"{command[0]} cannot be run: {error.strerror or error}") from None


def words(output: str) -> str:
    """What a command said, as one short line."""
    return " ".join(output.split())[:LONGEST_WORDS] or "no word of why"


def not_taken(output: str) -> RefusedError | BatchFault:
    """What a submission that failed means: a connection that broke says nothing of whether the job was taken."""
    if _UNKNOWN_OUTCOME.search(output):
        return BatchFault(f"the outcome of a submission is not known: {words(output)}")
    return RefusedError(words(output))


def write_script(request: Request, environment: str | None) -> Path:
    """The job's script, beside its log: it sources the site's environment, and becomes the worker."""
    path = request.log.with_suffix(".sh")
    source = f"source {shlex.quote(environment)}\n" if environment else ""
    log = shlex.quote(str(request.log))
    path.write_text(f"#!/bin/bash\nexec >> {log} 2>&1\n{source}exec {shlex.join(request.command)}\n")
    path.chmod(0o700)
    return path


class CommandsBatch:
    """A batch system behind a site's own commands, each of which is given up after `within_s` seconds."""

    def __init__(self, commands: Commands, environment: str | None, within_s: float) -> None:
        self._commands = commands
        self._environment = environment
        self._within_s = within_s

    def submit(self, request: Request) -> str:
        """See Batch."""
        script = str(write_script(request, self._environment))
        code, output = run([word.replace("{script}", script) for word in self._commands.submit], self._within_s)
        if code != 0:
            raise not_taken(output)
        found = re.search(self._commands.id_pattern, output)
        if found is None:
            raise BatchFault(f"commands.submit printed no id: {words(output)}")
        return found.group(found.lastindex or 0)

    def status(self, native_ids: Collection[str], names: Collection[str]) -> Listing:
        """See Batch."""
        if not native_ids and any("{ids}" in word for word in self._commands.status):
            return Listing({})
        command: list[str] = []
        for word in self._commands.status:
            command += sorted(native_ids) if word == "{ids}" else [word.replace("{ids}", ",".join(sorted(native_ids)))]
        code, output = run(command, self._within_s)
        if code != 0:
            raise BatchFault(f"commands.status ended with exit code {code}: {words(output)}")
        return read_listing(output, self._commands.states, native_ids, names)

    def cancel(self, native_id: str) -> None:
        """See Batch."""
        code, output = run([word.replace("{id}", native_id) for word in self._commands.cancel], self._within_s)
        if code != 0:
            raise BatchFault(f"commands.cancel ended with exit code {code}: {words(output)}")


def read_listing(
    output: str, states: Mapping[str, QueueState], native_ids: Collection[str], names: Collection[str]
) -> Listing:
    """What lines `ID STATE` or `ID STATE NAME` say of our jobs. Raises BatchFault for a line that is neither."""
    found: dict[str, QueueState] = {}
    named: dict[str, str] = {}
    for line in output.splitlines():
        match line.split():
            case []:
                continue
            case [id, state, *rest]:
                if rest and rest[0] in names:
                    named[rest[0]] = id
                elif id not in native_ids:
                    continue
                if state not in states:
                    raise BatchFault(f"its status is not understood: {words(line)!r}")
                found[id] = states[state]
            case _:
                raise BatchFault(f"its status is not understood: {words(line)!r}")
    return Listing(found, named)
