"""Flux: what its commands are asked, and what their answers mean. Answers are those of flux-core 0.88.0."""

from __future__ import annotations

from pathlib import Path

import pytest

from warpcore.services.pool.batch import BatchFault, Listing, RefusedError, Request
from warpcore.services.pool.configuration import Configuration, Executor
from warpcore.services.pool.flux_batch import FluxBatch, read_jobs
from warpcore.services.pool.jobs import QueueState
from warpcore.services.pool.submit_options import submit_options

LISTED = """f27vfYns F warpcore-gpu-1 'unsatisfiable request: need 1 slot(s) with 3 GPU(s) each, only 0 available'
f2dbuAyD CD warpcore-gpu-2 ''
f3bJNC2b F warpcore-gpu-3 ''
f4LRRJSK S warpcore-gpu-4 ''
f47ERh2P R warpcore-gpu-5 ''
f29mQf5h C warpcore-gpu-6 ''
f8H3JYvT CA warpcore-gpu-7 ''
f3wvnCSs TO warpcore-gpu-8 "resource allocation expired, it's said"
"""
SUBMIT = "flux submit --output={folder}/{{{{id.f58plain}}}}.out"


@pytest.fixture
def flux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FluxBatch:
    """Flux whose command does what `does`, a shell script, says."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return FluxBatch(Configuration(Executor.FLUX, gpus=1, cpus=8, wall_time_min=60, command_s=30), tmp_path)


def does(folder: Path, script: str) -> None:
    """What it is asked is added to `asked`."""
    (folder / "flux").write_text(f'#!/bin/sh\ncd {folder}\necho "flux $*" >> asked\n{script}\n')
    (folder / "flux").chmod(0o755)


def request(folder: Path) -> Request:
    return Request("warpcore-gpu-1", ["true"], folder / "job.log")


def test_states_are_those_of_jobs_that_were_asked_for() -> None:
    ids = [line.split()[0] for line in LISTED.splitlines()[:-1]]
    listing, notes = read_jobs(0, LISTED, "", ids, ["warpcore-gpu-8"])
    assert list(listing.states.values()) == [
        *(QueueState.FAILED, QueueState.COMPLETED, QueueState.FAILED, QueueState.QUEUED),
        *(QueueState.RUNNING, QueueState.RUNNING, QueueState.FAILED, QueueState.FAILED),
    ]
    assert listing.names == {"warpcore-gpu-8": "f3wvnCSs"}
    assert notes == {
        "f27vfYns": "unsatisfiable request: need 1 slot(s) with 3 GPU(s) each, only 0 available",
        "f3wvnCSs": "resource allocation expired, it's said",
    }


def test_jobs_that_flux_does_not_know_are_left_out() -> None:
    some = read_jobs(0, "f29mQf5h R warpcore-gpu-1 ''\n", "JobID fZZZZ unknown\n", ["f29mQf5h", "fZZZZ"], [])
    assert some == (Listing({"f29mQf5h": QueueState.RUNNING}), {})
    none = read_jobs(1, "", "JobID fZZZZ unknown\nJobID fYYYY unknown\n", ["fZZZZ", "fYYYY"], [])
    assert none == (Listing({}), {})


@pytest.mark.parametrize(
    ("code", "output", "errors"),
    [
        (1, "", "flux-jobs: ERROR: Unable to connect to Flux: Connection refused\n"),
        (1, "", "rpc: No service matching job-list.list-id is registered\n"),
        (0, "f29mQf5h R warpcore-gpu-1 ''\n", "rpc: No service matching job-list.list-id is registered\n"),
        (1, "", "JobID fZZZZ unknown\nrpc: Connection reset by peer\n"),
        (1, "", ""),
        (-9, "f29mQf5h R warpcore-gpu-1 ''\n", ""),
        (0, "please log in first\n", ""),
        (0, "f29mQf5h X warpcore-gpu-1 ''\n", ""),
        (0, "f29mQf5h R\n", ""),
    ],
)
def test_an_answer_that_is_not_understood_is_a_fault(code: int, output: str, errors: str) -> None:
    with pytest.raises(BatchFault):
        read_jobs(code, output, errors, ["f29mQf5h", "fZZZZ"], [])


def test_a_warning_beside_an_answer_does_no_harm() -> None:
    found, _ = read_jobs(0, "f29mQf5h R warpcore-gpu-1 ''\n", "DeprecationWarning: x\n", ["f29mQf5h"], [])
    assert found == Listing({"f29mQf5h": QueueState.RUNNING})


@pytest.mark.parametrize("printed", ["ƒ29mQf5h", "f29mQf5h"])
def test_a_job_is_submitted_as_its_script(flux: FluxBatch, tmp_path: Path, printed: str) -> None:
    """The sign before an id depends on the locale."""
    does(tmp_path, f"echo {printed}")
    assert flux.submit(request(tmp_path)) == "f29mQf5h"
    options = (
        "--job-name=warpcore-gpu-1 --ntasks=1 --cores-per-task=8 --gpus-per-task=1 --time-limit=3600s --signal=TERM@20s"
    )
    assert (tmp_path / "asked").read_text() == f"{SUBMIT.format(folder=tmp_path)} {options} {tmp_path}/job.sh\n"
    assert (tmp_path / "job.sh").read_text().endswith("exec true\n")


def test_a_refused_job_is_told_in_words_of_flux(flux: FluxBatch, tmp_path: Path) -> None:
    does(tmp_path, "echo '[Errno 22] requested duration (10h) exceeds policy limit of 1h' >&2; exit 1")
    with pytest.raises(RefusedError, match="requested duration \\(10h\\) exceeds policy limit of 1h"):
        flux.submit(request(tmp_path))


@pytest.mark.parametrize(
    "script", ["exit 0", "echo 'flux-submit: ERROR: Unable to connect to Flux: Connection reset by peer' >&2; exit 1"]
)
def test_a_broker_that_dies_leaves_the_outcome_open(flux: FluxBatch, tmp_path: Path, script: str) -> None:
    """Once it has taken the request, `flux submit` prints nothing, and ends with 0."""
    does(tmp_path, script)
    with pytest.raises(BatchFault):
        flux.submit(request(tmp_path))


def test_flux_is_asked_for_ids_and_for_each_name_whose_id_nobody_heard(flux: FluxBatch, tmp_path: Path) -> None:
    does(tmp_path, 'case "$*" in *--name=warpcore-gpu-4) echo "f4LRRJSK S warpcore-gpu-4 \'\'";; esac')
    found = flux.status(["f29mQf5h", "f27vfYns"], ["warpcore-gpu-4", "warpcore-gpu-5"])
    assert found == Listing({"f4LRRJSK": QueueState.QUEUED}, {"warpcore-gpu-4": "f4LRRJSK"})
    assert [line.split("!r} ")[-1] for line in (tmp_path / "asked").read_text().splitlines()] == [
        "f27vfYns f29mQf5h",
        "-a --name=warpcore-gpu-4",
        "-a --name=warpcore-gpu-5",
    ]
    (tmp_path / "asked").unlink()
    assert flux.status([], []) == Listing({})
    assert not (tmp_path / "asked").exists()


def test_why_a_job_never_began_is_kept_where_its_last_lines_are_looked_for(flux: FluxBatch, tmp_path: Path) -> None:
    (tmp_path / "f3wvnCSs.out").write_text("its own words\n")
    does(tmp_path, f"cat <<'end'\n{LISTED}end")
    flux.status(["f27vfYns", "f3wvnCSs", "f3bJNC2b"], [])
    assert (tmp_path / "f27vfYns.out").read_text().startswith("Flux: unsatisfiable request: need 1 slot(s) with 3 GPU")
    assert (tmp_path / "f3wvnCSs.out").read_text() == "its own words\n"
    assert not (tmp_path / "f3bJNC2b.out").exists()


@pytest.mark.parametrize(
    "said", ["flux-cancel: ERROR: ƒ29m: job is inactive", "flux-cancel: ERROR: ƒ29m: unknown job id"]
)
def test_a_cancel_of_a_job_that_has_ended_is_no_fault(flux: FluxBatch, tmp_path: Path, said: str) -> None:
    does(tmp_path, f"echo '{said}' >&2; exit 1")
    flux.cancel("f29m")
    assert (tmp_path / "asked").read_text() == "flux cancel f29m\n"


def test_a_cancel_that_fails_is_told(flux: FluxBatch, tmp_path: Path) -> None:
    does(tmp_path, "echo 'flux-cancel: ERROR: Unable to connect to Flux: Connection refused' >&2; exit 1")
    with pytest.raises(BatchFault, match="Unable to connect to Flux: Connection refused"):
        flux.cancel("f29m")


def test_options_of_a_site_take_the_place_of_ours() -> None:
    asked = Configuration(Executor.FLUX, queue="gpu", account="cryo", gpus=0, attributes={"cores-per-task": "4"})
    options = submit_options(asked, "w-1")
    assert options == [
        *("--job-name=w-1", "--ntasks=1", "--cores-per-task=4"),
        *("--queue=gpu", "--bank=cryo", "--time-limit=86400s", "--signal=TERM@20s"),
    ]
