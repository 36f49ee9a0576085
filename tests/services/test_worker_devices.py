"""What a compute process finds in its environment, and how workers of one host share out its GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from warpcore.services.worker.devices import GPU_FLAGS, DeviceError, UnusableError, environment_for, memory_fraction
from warpcore.services.worker.gpu_claims import (
    Claim,
    claim_gpu,
    claim_one,
    first_free,
    holders,
    lock_file,
    lock_holders,
)
from warpcore.services.worker.gpus import Gpu
from warpcore.services.worker.service import take_device

FIRST, SECOND = Gpu("0", "GPU-aa11"), Gpu("1", "GPU-ab22")
FLAGS = " ".join(GPU_FLAGS)


def test_a_gpu_is_named_and_leaves_memory_to_others_and_computes_the_same_each_time() -> None:
    assert environment_for("cuda:1", {}) == {
        "JAX_PLATFORMS": "cuda,cpu",
        "CUDA_VISIBLE_DEVICES": "1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "OPENBLAS_NUM_THREADS": "1",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "XLA_CLIENT_MEM_FRACTION": "0.900",
        "XLA_FLAGS": FLAGS,
    }
    assert "OPENBLAS_NUM_THREADS" not in environment_for("cuda:1", {"OPENBLAS_NUM_THREADS": "4"})
    assert environment_for("cuda:GPU-aa11", {})["CUDA_VISIBLE_DEVICES"] == "GPU-aa11"
    assert "CUDA_VISIBLE_DEVICES" not in environment_for("cuda", {})


def test_nothing_of_a_gpu_reaches_the_cpu() -> None:
    assert environment_for("cpu", {}) == {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    assert environment_for("auto", {}) == {}


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ({"XLA_FLAGS": "--xla_gpu_autotune_level=4 --xla_x=1"}, "XLA_FLAGS"),
        ({"XLA_FLAGS": "/etc/xla.flags"}, "XLA_FLAGS"),
        ({"XLA_PYTHON_CLIENT_PREALLOCATE": "true"}, "XLA_PYTHON_CLIENT_PREALLOCATE"),
        ({"XLA_CLIENT_MEM_FRACTION": "0.3"}, "XLA_CLIENT_MEM_FRACTION"),
        ({"XLA_PYTHON_CLIENT_MEM_FRACTION": "0.3"}, "XLA_PYTHON_CLIENT_MEM_FRACTION"),
        ({"CUDA_DEVICE_ORDER": "FASTEST_FIRST"}, "CUDA_DEVICE_ORDER"),
    ],
)
def test_what_the_user_has_set_holds(own: dict[str, str], kept: str) -> None:
    both = {**own, **environment_for("cuda:0", own)}
    assert own[kept] in both[kept]
    assert not {"XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_MEM_FRACTION"} <= both.keys()


def test_flags_of_the_user_stand_beside_those_that_he_has_not_set() -> None:
    given = {"XLA_FLAGS": "--xla_gpu_autotune_level=4 --xla_x=1"}
    assert environment_for("cuda", given)["XLA_FLAGS"] == f"{GPU_FLAGS[0]} {given['XLA_FLAGS']}"
    assert "XLA_FLAGS" not in environment_for("cuda", {"XLA_FLAGS": FLAGS})


def test_the_flags_are_known_to_this_version_of_xla() -> None:
    """It ends the process on an unknown one, on the CPU too."""
    program = "import jax; jax.numpy.zeros(1).block_until_ready()"

    def status(flags: str) -> int:
        environment = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags}
        return subprocess.run([sys.executable, "-c", program], env=environment, check=False, stderr=-3).returncode

    assert status(FLAGS) == 0
    assert status("--xla_gpu_no_such_flag=1") != 0


def test_the_shares_of_workers_on_one_gpu_leave_a_part_free() -> None:
    assert [memory_fraction(workers) * workers for workers in (1, 2, 5)] == pytest.approx([0.9, 0.8, 0.8])


@pytest.mark.parametrize("device", ["gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:0,1", "rocm"])
def test_an_unknown_device_is_refused(device: str) -> None:
    with pytest.raises(DeviceError, match="use auto, cpu, cuda"):
        environment_for(device, {})


# --- each GPU once ----------------------------------------------------------------------------------------------------


def test_the_first_gpu_that_can_be_taken_is_chosen() -> None:
    def only(wanted: Gpu) -> Claim | None:
        claim = first_free([FIRST, SECOND], lambda gpu: Claim(gpu, None) if gpu == wanted else None)
        return claim

    assert [claim.gpu for claim in (only(FIRST), only(SECOND)) if claim] == [FIRST, SECOND]
    assert only(Gpu("7")) is None


TAKE = """
import sys, pathlib
from warpcore.services.worker.gpu_claims import claim_gpu, claim_one
from warpcore.services.worker.gpus import Gpu
from warpcore.services.worker.devices import DeviceError
how, folder = sys.argv[1], pathlib.Path(sys.argv[2])
gpus = [Gpu("0", "GPU-aa11"), Gpu("1", "GPU-ab22")]
try:
    claim = claim_one(gpus, folder) if how == "auto" else claim_gpu(gpus[int(how)], folder, shared=True)
    print(claim.gpu.name if claim else "shown to none", flush=True)
except DeviceError as error:
    print(error, flush=True)
sys.stdin.read()
"""


@contextmanager
def worker(how: str, folder: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Another process that takes a GPU, by `auto` or by its index, and what it says; it lives until it is killed."""
    command = [sys.executable, "-c", TAKE, how, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


def test_workers_take_each_gpu_once_and_a_killed_one_gives_its_own_back(tmp_path: Path) -> None:
    with ExitStack() as running:
        first, process = running.enter_context(worker("auto", tmp_path))
        second, other = running.enter_context(worker("auto", tmp_path))
        assert (first, second) == ("0", "1")
        with pytest.raises(UnusableError) as refused:
            claim_one([FIRST, SECOND], tmp_path)
        assert str(refused.value) == (
            f"all 2 GPUs that this worker may use are taken: cuda:0 by process {process.pid}, "
            f"cuda:1 by process {other.pid}; to share one on purpose: --device cuda:0"
        )
        assert claim_gpu(FIRST, tmp_path, shared=True) is None, "a worker that is told its GPU goes on without a claim"
        process.kill()
        process.wait()
        claim = claim_one([FIRST, SECOND], tmp_path)
        assert claim.gpu == FIRST
        claim.release()


def test_a_worker_that_was_told_its_gpu_shows_it_and_shares_it(tmp_path: Path) -> None:
    with worker("0", tmp_path) as (told, process), worker("0", tmp_path) as (again, other):
        assert (told, again) == ("0", "0")
        assert holders(lock_file(FIRST, tmp_path)) == sorted([process.pid, other.pid])
        claim = claim_one([FIRST, SECOND], tmp_path)
        assert claim.gpu == SECOND
        claim.release()
        with pytest.raises(UnusableError, match=rf"the only GPU .* processes {holders(lock_file(FIRST, tmp_path))[0]}"):
            claim_one([FIRST], tmp_path)


def test_where_no_lock_can_be_had_a_gpu_counts_as_free(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert claim_one([FIRST], blocked).gpu == FIRST
    assert "cannot see which GPUs other workers use" in caplog.text


def test_a_worker_takes_the_gpu_that_is_visible_and_goes_by_its_name(tmp_path: Path) -> None:
    visible = "GPU-aa11,GPU-ab22"
    (first, claim), (second, other) = (take_device("auto", tmp_path, visible, plugin=True) for _ in range(2))
    assert (first, second) == ("cuda:GPU-aa11", "cuda:GPU-ab22")
    assert take_device("cuda:GPU-aa11", tmp_path, visible, plugin=True) == ("cuda:GPU-aa11", None)
    for one in (claim, other):
        assert one is not None
        one.release()


def test_without_a_gpu_or_without_cuda_any_number_of_workers_take_the_cpu(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for plugin in (True, False):
        assert [take_device("auto", tmp_path, "", plugin) for _ in range(3)] == [("auto", None)] * 3
        assert take_device("cpu", tmp_path, "GPU-aa11", plugin) == ("cpu", None)
    assert not caplog.text
    assert [take_device("auto", tmp_path, "GPU-aa11", plugin=False) for _ in range(3)] == [("cpu", None)] * 3
    assert "pip install 'warpcore[cuda]'" in caplog.text
    assert not list(tmp_path.iterdir())


def test_the_kernels_list_of_locks_tells_who_holds_and_not_who_waits() -> None:
    lines = [
        "1: POSIX  ADVISORY  READ  11 00:13:5 128 128",
        "2: FLOCK  ADVISORY  WRITE 12 00:13:5 0 EOF",
        "2: -> FLOCK  ADVISORY  WRITE 13 00:13:5 0 EOF",
        "3: FLOCK  ADVISORY  READ  14 fd:00:5 0 EOF",
        "4: FLOCK  ADVISORY  WRITE 15 00:13:6 0 EOF",
        "5: FLOCK  ADVISORY  WRITE -1 00:13:5 0 EOF",
    ]
    assert lock_holders(lines, 5) == [12, 14]
