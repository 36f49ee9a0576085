"""PBS and LSF: what their commands are asked, and what their answers mean.

Answers of PBS are those of OpenPBS 23.06.06; those of LSF are as IBM's manual pages of LSF 10.1 show them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from warpcore.services.pool.batch import BatchFault, Listing
from warpcore.services.pool.configuration import Configuration, Executor
from warpcore.services.pool.jobs import QueueState
from warpcore.services.pool.queues import PBS_GONE, bjobs, qstat, read_qstat
from warpcore.services.pool.submit_options import submit_options

RUNNING = """Job Id: 10.pbs1
    Job_Name = warpcore-gpu-153d-1
    Job_Owner = cryo@pbs1
    resources_used.ncpus = 1
    job_state = {state}
    queue = workq
    Variable_List = PBS_O_HOME=/home/cryo,PBS_O_LOGNAME=cryo,
\tPBS_O_PATH=/opt/pbs/bin:/opt/pbs/sbin:/usr/bin:/bin,NOTE=two
lines
    comment = Job run at Thu Nov 26 at 23:28 on (pbs1:ncpus=1)
    Submit_Host = pbs1

"""


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands that come before all others."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def add(folder: Path, name: str, script: str) -> None:
    """A command as a shell script; what it is asked is added to `asked`."""
    (folder / name).write_text(f'#!/bin/sh\ncd {folder}\necho "{name} $*" >> asked\n{script}\n')
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("state", "means"),
    [("Q", QueueState.QUEUED), ("H", QueueState.QUEUED), ("R", QueueState.RUNNING), ("E", QueueState.RUNNING)],
)
def test_a_state_of_pbs(state: str, means: QueueState) -> None:
    assert read_qstat(0, RUNNING.format(state=state), ["10.pbs1"], []) == Listing({"10.pbs1": means})


def test_pbs_lists_the_jobs_that_there_are_beside_those_that_have_ended() -> None:
    """Without a history qstat ends with 153 as soon as one job of many has ended, with one it ends with 35."""
    output = RUNNING.format(state="R") + "\nqstat: Unknown Job Id 9.pbs1\n"
    assert read_qstat(153, output, ["9.pbs1", "10.pbs1"], []) == Listing({"10.pbs1": QueueState.RUNNING})
    output = "\nqstat: 9.pbs1 Job has finished, use -x or -H to obtain historical job information\n"
    assert read_qstat(35, output, ["9.pbs1"], []) == Listing({"9.pbs1": QueueState.COMPLETED})
    assert read_qstat(153, "\nqstat: Unknown Job Id 9.pbs1\n", ["9.pbs1"], []) == Listing({})


@pytest.mark.parametrize(
    ("code", "output"),
    [
        (255, "\nConnection refused\nqstat: cannot connect to server pbs1 (errno=15010)\n"),
        (1, RUNNING.format(state="R") + "\nqstat: End of File\n"),
        (1, ""),
        (0, "please log in first\n"),
        (0, RUNNING.format(state="Z")),
        (0, "Job Id: 10.pbs1\n    Job_Name = x\n"),
    ],
)
def test_an_answer_of_pbs_that_is_not_understood_is_a_fault(code: int, output: str) -> None:
    with pytest.raises(BatchFault, match="qstat"):
        read_qstat(code, output, ["10.pbs1"], [])


def test_pbs_is_asked_for_ids_and_for_names_whose_id_nobody_heard(commands: Path) -> None:
    assert qstat([], [], 60.0) == Listing({})
    add(commands, "qselect", "echo 10.pbs1")
    add(commands, "qstat", f"cat <<'end'\n{RUNNING.format(state='Q')}end")
    found = qstat(["7.pbs1"], ["warpcore-gpu-153d-1"], 60.0)
    assert found == Listing({"10.pbs1": QueueState.QUEUED}, {"warpcore-gpu-153d-1": "10.pbs1"})
    assert (commands / "asked").read_text() == "qselect -N warpcore-gpu-153d-1\nqstat -f 10.pbs1 7.pbs1\n"


def test_a_name_that_cannot_be_asked_for_is_a_fault(commands: Path) -> None:
    add(commands, "qselect", "echo 'qselect: cannot connect to server pbs1 (errno=15010)' >&2; exit 1")
    with pytest.raises(BatchFault, match="qselect ended with exit code 1"):
        qstat([], ["warpcore-gpu-153d-1"], 60.0)


@pytest.mark.parametrize(
    ("said", "gone"),
    [
        ("qdel: Unknown Job Id 5.pbs1", True),
        ("qdel: 5.pbs1 Job has finished, use -x or -H to obtain historical job information", True),
        ("qdel: Unauthorized Request  5.pbs1", False),
    ],
)
def test_a_cancel_of_a_job_that_has_ended_is_no_fault(said: str, gone: bool) -> None:
    assert bool(PBS_GONE.match(said)) is gone


def test_lsf_lists_jobs_of_all_states_in_three_words(commands: Path) -> None:
    lines = "1234567 RUN warpcore-gpu-1\n1234568 PEND warpcore-gpu-2\n1234569 EXIT warpcore-gpu-3\n17 ZOMBI mine"
    add(commands, "bjobs", f"cat <<'end'\n{lines}\nend")
    assert bjobs(["1234567", "1234569"], ["warpcore-gpu-2"], 60.0) == Listing(
        {"1234567": QueueState.RUNNING, "1234568": QueueState.QUEUED, "1234569": QueueState.FAILED},
        {"warpcore-gpu-2": "1234568"},
    )


@pytest.mark.parametrize(("code", "said"), [(255, "No job found"), (0, "No unfinished job found")])
def test_an_empty_queue_of_lsf_is_an_answer(commands: Path, code: int, said: str) -> None:
    add(commands, "bjobs", f"echo '{said}' >&2; exit {code}")
    assert bjobs(["17"], [], 60.0) == Listing({})


def test_lsf_that_does_not_answer_is_a_fault(commands: Path) -> None:
    add(commands, "bjobs", "echo 'LSF is down. Please wait ...' >&2; exit 255")
    with pytest.raises(BatchFault, match="bjobs ended with exit code 255"):
        bjobs(["17"], [], 60.0)


def test_qsub_is_asked_for_cores_gpus_and_memory_of_one_node() -> None:
    asked = Configuration(Executor.PBS, gpus=1, cpus=8, memory_gb=32, attributes={"l": "place=excl", "P": "cryo"})
    chunk = "select=1:ncpus=8:ngpus=1:mem=32768mb,place=excl"
    assert submit_options(asked, "w-1") == ["-N", "w-1", "-r", "n", "-l", chunk, "-P", "cryo"]
    without = Configuration(Executor.PBS, gpus=0, cpus=2, memory_gb=0)
    assert submit_options(without, "w-1")[-1] == "select=1:ncpus=2"
    own = Configuration(Executor.PBS, attributes={"l": "select=1:ncpus=8:gpu_type=a100"})
    assert submit_options(own, "w-1")[-1] == "select=1:ncpus=8:gpu_type=a100"


def test_bsub_is_asked_for_all_by_its_options() -> None:
    asked = Configuration(Executor.LSF, queue="gpu", account="cryo", attributes={"R": "span[ptile=8]"})
    options = submit_options(asked, "w-1")
    given = dict(zip(options[::2], options[1::2], strict=True))
    assert given.items() >= {"-J": "w-1", "-n": "8", "-gpu": "num=1", "-M": "32768MB", "-W": "1440"}.items()
    assert given.items() >= {"-q": "gpu", "-P": "cryo", "-R": "span[ptile=8]", "-o": "/dev/null"}.items()


def test_sbatch_is_told_the_name_by_which_a_job_is_found() -> None:
    asked = Configuration(Executor.SLURM, attributes={"qos": "high"})
    assert submit_options(asked, "w-1") == ["--job-name=w-1", "--qos=high"]
