"""The queues of Slurm, PBS and LSF, asked for our jobs by their own commands.

psij's readers of these are not used, since each fails on a queue that is well: Slurm's wants three words a line, and
reasons of waiting jobs have more; PBS's asks for the history of jobs, which a server keeps only where it was told to,
and takes one job that has ended for a failure of all; LSF's stumbles over any job that was killed or suspended.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from warpcore.services.pool.batch import BatchFault, Listing, read_listing, run, words
from warpcore.services.pool.configuration import Executor
from warpcore.services.pool.jobs import QueueState

Ask = Callable[[Collection[str], Collection[str], float], Listing]
"""What a queue says of jobs with these ids, or of these names, within so many seconds. Raises BatchFault."""

SLURM_STATES = {
    **dict.fromkeys(("PD", "CF", "RD", "RF", "RH", "RV"), QueueState.QUEUED),
    **dict.fromkeys(("R", "CG", "S", "ST", "SI", "SO", "RS", "RQ"), QueueState.RUNNING),
    **dict.fromkeys(("CA", "F", "TO", "NF", "OOM", "BF", "DL", "PR", "SE"), QueueState.FAILED),
    "CD": QueueState.COMPLETED,
}
"""squeue's compact states. Its manual page lists them."""
PBS_STATES = {
    **dict.fromkeys("HMQTW", QueueState.QUEUED),
    **dict.fromkeys("BERSU", QueueState.RUNNING),
    **dict.fromkeys("FX", QueueState.COMPLETED),
}
"""qstat's letters, of its manual page. Whether a job that has ended did well is not among them."""
LSF_STATES = {
    **dict.fromkeys(("PEND", "PROV", "PSUSP", "WAIT"), QueueState.QUEUED),
    **dict.fromkeys(("RUN", "USUSP", "SSUSP", "UNKWN", "ZOMBI"), QueueState.RUNNING),
    "DONE": QueueState.COMPLETED,
    "EXIT": QueueState.FAILED,
}
"""bjobs' states. Its manual page lists them."""

PBS_GONE = re.compile(r"^q\w+: (?:Unknown Job Id (\S+)|(\S+) Job has finished.*)$")
"""What PBS says of a job that has ended: without a history, and with one."""
_PBS_STATE = re.compile(r"^    job_state = (\w)$", re.MULTILINE)
_PBS_NAME = re.compile(r"^    Job_Name = (\S+)$", re.MULTILINE)


def squeue(native_ids: Collection[str], names: Collection[str], within_s: float) -> Listing:
    """Slurm's queue. See Ask."""
    code, output = run(["squeue", "--me", "--noheader", "--states=all", "--format=%i %t %j"], within_s)
    if code != 0:
        raise BatchFault(f"squeue ended with exit code {code}: {words(output)}")
    return read_listing(output, SLURM_STATES, native_ids, names)


def qstat(native_ids: Collection[str], names: Collection[str], within_s: float) -> Listing:
    """PBS's queue, by ids alone: it may hold thousands of other users' jobs. See Ask."""
    asked = {*native_ids, *(id for name in names for id in _qselect(name, within_s))}
    if not asked:
        return Listing({})
    code, output = run(["qstat", "-f", *sorted(asked)], within_s)
    return read_qstat(code, output, asked, names)


def _qselect(name: str, within_s: float) -> list[str]:
    code, output = run(["qselect", "-N", name], within_s)
    if code != 0:
        raise BatchFault(f"qselect ended with exit code {code}: {words(output)}")
    return output.split()


def read_qstat(code: int, output: str, native_ids: Collection[str], names: Collection[str]) -> Listing:
    """What `qstat -f` says of jobs; its exit code is that of the last job that it does not know. Raises BatchFault."""
    states: dict[str, QueueState] = {}
    named: dict[str, str] = {}
    before, *jobs = re.split(r"^Job Id: ", output, flags=re.MULTILINE)
    errors = re.findall(r"^qstat: .*$", output, re.MULTILINE)
    for line in errors:
        gone = PBS_GONE.match(line)
        if gone is None:
            raise BatchFault(f"qstat ended with exit code {code}: {words(line)}")
        if gone.group(2) in native_ids:
            states[gone.group(2)] = QueueState.COMPLETED
    if (code != 0 or before.strip()) and not errors:
        raise BatchFault(f"qstat ended with exit code {code}, and is not understood: {words(before)}")
    for job in jobs:
        id, state, name = job.split("\n", 1)[0].strip(), _PBS_STATE.search(job), _PBS_NAME.search(job)
        if state is None or state.group(1) not in PBS_STATES:
            raise BatchFault(f"qstat is not understood: {words(job)}")
        states[id] = PBS_STATES[state.group(1)]
        if name is not None and name.group(1) in names:
            named[name.group(1)] = id
    return Listing(states, named)


def bjobs(native_ids: Collection[str], names: Collection[str], within_s: float) -> Listing:
    """LSF's queue: all of this user's jobs, those that have ended lately among them. See Ask.

    Its exit code says nothing: 255 is also that of an empty queue, where LSB_BJOBS_CONSISTENT_EXIT_CODE is set.
    """
    code, output = run(["bjobs", "-a", "-noheader", "-o", "jobid:20 stat:8 job_name:80"], within_s)
    lines = [line for line in output.splitlines() if line.strip() and not re.match(r"No (\w+ )?job found", line)]
    for line in lines:
        if not re.match(r"\s*\d+\s", line):
            raise BatchFault(f"bjobs ended with exit code {code}: {words(line)}")
    return read_listing("\n".join(lines), LSF_STATES, native_ids, names)


QUEUES: Mapping[Executor, Ask] = {Executor.SLURM: squeue, Executor.PBS: qstat, Executor.LSF: bjobs}
