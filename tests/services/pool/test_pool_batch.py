"""A site's own commands as a batch system, played by small shell scripts over a folder of files."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from warpcore.bus.limits import LARGEST_POOL
from warpcore.services.pool.batch import (
    BatchFault,
    CommandsBatch,
    Listing,
    RefusedError,
    Request,
    not_taken,
    read_listing,
)
from warpcore.services.pool.configuration import Commands, ConfigurationError, Executor, read_configuration
from warpcore.services.pool.jobs import QueueState

STATES = {"PEND": QueueState.QUEUED, "RUN": QueueState.RUNNING, "DONE": QueueState.COMPLETED}


def commands(folder: Path, within_s: float = 60.0, **scripts: str) -> CommandsBatch:
    """Commands that are these shell scripts; `$1` is the job's script or its id."""
    whole = {"submit": "exit 0", "status": "exit 0", "cancel": "exit 0", **scripts}
    for name, text in whole.items():
        (folder / name).write_text(f"#!/bin/sh\ncd {folder}\n{text}\n")
        (folder / name).chmod(0o755)
    given = {"submit": "{script}", "status": "{ids}", "cancel": "{id}"}
    words = {name: [str(folder / name), argument] for name, argument in given.items()}
    return CommandsBatch(Commands(**words, states=STATES), None, within_s)


def request(folder: Path, *command: str) -> Request:
    return Request("warpcore-gpu-1", command or ("true",), folder / "job.log")


def test_a_job_is_a_script_that_becomes_the_worker(tmp_path: Path, wait_until: Callable[..., None]) -> None:
    site = commands(tmp_path, submit='"$1" & echo "job 17 of queue gpu is submitted"')
    (tmp_path / "site.sh").write_text("export PLACE='a b'; echo from the script of the site\n")
    site = CommandsBatch(site._commands, str(tmp_path / "site.sh"), 60.0)
    assert site.submit(request(tmp_path, "sh", "-c", 'echo "$PLACE; $0"', "it's $HOME")) == "17"
    wait_until(lambda: "it's" in (tmp_path / "job.log").read_text() if (tmp_path / "job.log").exists() else False)
    assert (tmp_path / "job.log").read_text() == "from the script of the site\na b; it's $HOME\n"


def test_the_id_is_what_the_pattern_finds(tmp_path: Path) -> None:
    site = commands(tmp_path, submit='echo "Job <9917> is submitted to queue <gpu>."')
    whole = Commands(site._commands.submit, ["true"], ["true"], STATES, id_pattern=r"Job <(\d+)>")
    assert CommandsBatch(whole, None, 60.0).submit(request(tmp_path)) == "9917"


def test_a_command_that_fails_refuses_the_job_in_its_own_words(tmp_path: Path) -> None:
    site = commands(tmp_path, submit='echo "too many jobs of this user" >&2; exit 1')
    with pytest.raises(RefusedError, match="too many jobs of this user"):
        site.submit(request(tmp_path))


@pytest.mark.parametrize("submit", ["echo accepted", "echo 'Socket timed out on send/recv operation' >&2; exit 1"])
def test_without_an_id_nobody_knows_whether_a_job_was_taken(tmp_path: Path, submit: str) -> None:
    with pytest.raises(BatchFault):
        commands(tmp_path, submit=submit).submit(request(tmp_path))


@pytest.mark.parametrize(
    ("said", "unknown"),
    [
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", True),
        ("sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received", True),
        ("qsub: Communication failure.", True),
        ("sbatch: error: Batch job submission failed: Requested time limit is invalid", False),
        (
            "sbatch: error: AssocMaxSubmitJobLimit\nBatch job submission failed: Job violates accounting/QOS policy",
            False,
        ),
        ("Unable to contact slurm controller (connect failure)", False),
    ],
)
def test_only_a_connection_that_broke_leaves_the_outcome_open(said: str, unknown: bool) -> None:
    assert isinstance(not_taken(said), BatchFault) == unknown


def test_jobs_are_asked_for_by_their_ids(tmp_path: Path) -> None:
    site = commands(tmp_path, status='echo "$1" > asked; echo "7 RUN"; echo "9 PEND x y"; echo "8 HELD"')
    assert site.status(["9", "7"], []) == Listing({"7": QueueState.RUNNING, "9": QueueState.QUEUED})
    assert (tmp_path / "asked").read_text() == "7\n"
    assert site.status([], []) == Listing({})


@pytest.mark.parametrize(
    "status",
    ["echo 'slurm_load_jobs error' >&2; exit 1", "echo 7", "echo '7 GONE'", "echo '7 RUN'; echo error", "kill -9 $$"],
)
def test_an_answer_that_is_not_understood_is_a_fault(tmp_path: Path, status: str) -> None:
    with pytest.raises(BatchFault):
        commands(tmp_path, status=status).status(["7"], [])


def test_a_job_whose_id_nobody_heard_is_found_by_its_name() -> None:
    lines = "41 PEND other\n42 RUN warpcore-gpu-1\n43 HELD warpcore-gpu-9\n"
    found = read_listing(lines, STATES, ["7"], ["warpcore-gpu-1"])
    assert found == Listing({"42": QueueState.RUNNING}, {"warpcore-gpu-1": "42"})


def test_a_cancel_that_fails_is_told(tmp_path: Path) -> None:
    commands(tmp_path, cancel='test "$1" = 7').cancel("7")
    with pytest.raises(BatchFault, match=r"commands\.cancel ended with exit code 3: no such job"):
        commands(tmp_path, cancel="echo no such job; exit 3").cancel("7")


def test_a_command_that_hangs_is_given_up(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(BatchFault, match=r"has not answered within 0\.2 s"):
        commands(tmp_path, 0.2, status="exec sleep 60").status(["7"], [])
    assert time.monotonic() - begun < 30


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    whole = Commands(["no-such-command", "{script}"], ["no-such-command"], ["true"], STATES)
    with pytest.raises(BatchFault, match="no-such-command cannot be run: No such file or directory"):
        CommandsBatch(whole, None, 60.0).status(["7"], [])


# --- the file -------------------------------------------------------------------------------------------------------

WHOLE = """
executor = "commands"
maximum = 8
[commands]
submit = ["bsub", "{script}"]
status = ["bjobs", "{ids}"]
cancel = ["bkill", "{id}"]
states = {PEND = "queued", RUN = "running", DONE = "completed", EXIT = "failed"}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "gpu.toml"
    path.write_text(text)
    return path


def test_a_file_says_all(tmp_path: Path) -> None:
    found = read_configuration(written(tmp_path, WHOLE))
    assert (found.executor, found.limits.maximum) == (Executor.COMMANDS, 8)
    assert found.commands is not None
    assert found.commands.states["EXIT"] is QueueState.FAILED


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("executor = 'slurm'\nminimum = 5", "minimum 5 is above maximum 4"),
        (f"executor = 'slurm'\nmaximum = {LARGEST_POOL + 1}", f"<= {LARGEST_POOL} - at `\\$.maximum`"),
        ("executor = 'commands'", "has a section \\[commands\\]"),
        (WHOLE.replace("{script}", "x"), "does not name {script}"),
        ("executor = 'slurm'\nmaxmum = 3", "maxmum"),
        ("executor = 'sun'", "sun"),
        ("executor = 'slurm'\nenvironment = '/nowhere.sh'", "/nowhere.sh is no file"),
        ("executor = 'slurm'\ncommand_s = 0", "command_s"),
        ("executor = 'slurm'\narguments = ['--scheduler', 'b']", "--scheduler, .* serve its session alone"),
        ("executor = 'slurm'\narguments = ['--device', 'cpu', '--idle-end=5']", "--idle-end, .* set wall_time_min or"),
        ("executor = 'slurm'\nscheduler = ['a', 'b']", "got `array` - at `\\$.scheduler`"),
        ("executor = slurm", "docs/pool.md"),
    ],
)
def test_what_cannot_be_is_refused_by_one_line(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault) as error:
        read_configuration(written(tmp_path, text))
    assert "gpu.toml" in str(error.value)
    assert "\n" not in str(error.value)
