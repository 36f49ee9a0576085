"""Flux by its own commands: `flux submit`, `flux jobs`, `flux cancel`.

psij-python's way to it is not used: it returns before Flux has named a job, leaves out name, queue, account and
environment script, and wants Flux's Python packages in our environment.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from warpcore.services.pool.batch import (
    BatchFault,
    Listing,
    Request,
    finished,
    not_taken,
    read_listing,
    run,
    words,
    write_script,
)
from warpcore.services.pool.configuration import Configuration
from warpcore.services.pool.jobs import QueueState
from warpcore.services.pool.submit_options import submit_options

STATES = {
    **dict.fromkeys("DPS", QueueState.QUEUED),
    **dict.fromkeys("RC", QueueState.RUNNING),
    **dict.fromkeys(("F", "CA", "TO"), QueueState.FAILED),
    "CD": QueueState.COMPLETED,
}
"""Short states of `flux jobs`. Its manual page lists them."""
FORMAT = "--format={id.f58plain} {status_abbrev} {name} {exception.note!r}"
"""One line for each job: a note, which may be of several lines, is quoted."""

_ID = re.compile(r"[ƒf]([1-9A-HJ-NP-Za-km-z]+)")
_LINE = re.compile(r"(\S+ \S+ \S+) (['\"])(.*)\2")
_UNKNOWN = re.compile(r"JobID \S+ unknown")
_HAS_ENDED = re.compile(r"job is inactive|unknown job")


class FluxBatch:
    """Flux, as its commands reach it; what a job prints before it is the worker goes to `folder`."""

    def __init__(self, configuration: Configuration, folder: Path) -> None:
        self._configuration = configuration
        self._folder = folder
        self._within_s = configuration.command_s

    def submit(self, request: Request) -> str:
        """See Batch."""
        script = write_script(request, self._configuration.environment)
        output = f"--output={self._folder}/{{{{id.f58plain}}}}.out"
        options = submit_options(self._configuration, request.name)
        code, said = run(["flux", "submit", output, *options, str(script)], self._within_s)
        if code != 0:
            raise not_taken(said)
        found = _ID.fullmatch(said.strip())
        if found is None:
            raise BatchFault(f"flux submit printed no id: {words(said)}")
        return f"f{found.group(1)}"

    def status(self, native_ids: Collection[str], names: Collection[str]) -> Listing:
        """See Batch."""
        found = Listing({})
        if native_ids:
            found = self._listed(sorted(native_ids), native_ids, names)
        for name in names:
            one = self._listed(["-a", f"--name={name}"], [], names)
            found = Listing({**found.states, **one.states}, {**found.names, **one.names})
        return found

    def _listed(self, asked: list[str], native_ids: Collection[str], names: Collection[str]) -> Listing:
        done = finished(["flux", "jobs", "--no-header", FORMAT, *asked], self._within_s)
        listing, notes = read_jobs(done.returncode, done.stdout, done.stderr, native_ids, names)
        for id, note in notes.items():
            if listing.states.get(id) is QueueState.FAILED:
                self._keep(id, note)
        return listing

    def _keep(self, id: str, note: str) -> None:
        """Why a job has failed that printed nothing: most of these never began."""
        path = self._folder / f"{id}.out"
        with suppress(OSError):  # it is told, and nothing else hangs on it
            if not path.exists() or not path.stat().st_size:
                path.write_text(f"Flux: {note}\n")

    def cancel(self, native_id: str) -> None:
        """See Batch."""
        code, said = run(["flux", "cancel", native_id], self._within_s)
        if code != 0 and _HAS_ENDED.search(said) is None:
            raise BatchFault(f"flux cancel ended with exit code {code}: {words(said)}")


def read_jobs(
    code: int, output: str, errors: str, native_ids: Collection[str], names: Collection[str]
) -> tuple[Listing, dict[str, str]]:
    """What `flux jobs` says of jobs, and why jobs have failed, by their ids. Raises BatchFault.

    It ends with 0 where it knows one of the jobs, whatever it says of the others, and with 1 where it knows none.
    """
    faults = [line for line in errors.splitlines() if line.strip() and not _UNKNOWN.fullmatch(line.strip())]
    faults = [line for line in faults if code != 0 or line.startswith("rpc:")]
    if faults or code not in (0, 1) or (code == 1 and not _UNKNOWN.search(errors)):
        raise BatchFault(f"flux jobs ended with exit code {code}: {words(' '.join(faults))}")
    lines, notes = [], {}
    for line in filter(None, output.splitlines()):
        found = _LINE.fullmatch(line)
        if found is None:
            raise BatchFault(f"flux jobs is not understood: {words(line)!r}")
        lines.append(found.group(1))
        if found.group(3):
            notes[line.split()[0]] = found.group(3)
    return read_listing("\n".join(lines), STATES, native_ids, names), notes
