"""The known computation finds wrong arithmetic, and a device that fails it sets its worker aside, with the reason."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np
import pytest

from tests.services.scheduler_world import World
from tests.waiting import crowd
from warpcore.bus import messages as m
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.scheduler.core.effects import Publish
from warpcore.services.scheduler.core.stimuli import FromWorker
from warpcore.services.worker.channel import Channel, ChannelClosedError
from warpcore.services.worker.checkups import Checkups
from warpcore.services.worker.device_check import ON_CPU, NotCheckedError, Results, Size, check_device, known, on_device
from warpcore.services.worker.effects import ToScheduler
from warpcore.services.worker.exits import DEVICE_EXIT
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.line import Begin, Command, Failed, Faulty, Ready, Report
from warpcore.services.worker.nanny import Nanny


@pytest.mark.parametrize("edge", [64, 128])
def test_the_closed_forms_are_what_numpy_computes_in_float64(edge: int) -> None:
    image, spectrum, hartley = known(edge)
    assert np.abs(np.fft.fft2(image) / edge - spectrum).max() < 1e-11  # measured 3e-13
    assert np.abs(hartley @ image @ hartley - spectrum).max() < 1e-11  # measured 2e-13
    assert 2 * np.mean(image**2) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("size", [None, Size(64, 9)])
def test_this_machine_computes_right(size: Size | None) -> None:
    assert check_device(size) is None


def few_bits(image: jax.Array) -> jax.Array:
    """The image with the 10 bits of TF32."""
    bits = np.asarray(image).view(np.uint32)
    return jax.numpy.asarray(((bits + 0x1000) & 0xFFFFE000).view(np.float32))


def products_of_few_bits(image: jax.Array, hartley: jax.Array, factors: jax.Array) -> Results:
    few = on_device(few_bits(image), few_bits(hartley), factors)
    return on_device(image, hartley, factors)._replace(products=few.products)


def one_wrong_pixel_of_one_frame(image: jax.Array, hartley: jax.Array, factors: jax.Array) -> Results:
    right = on_device(image, hartley, factors)
    high, low = right.returned
    return right._replace(returned=(high, low.at[3, 5].add(-1e-3)))


def a_frame_left_out(image: jax.Array, hartley: jax.Array, factors: jax.Array) -> Results:
    right = on_device(image, hartley, factors)
    mean = image * factors[1:].sum() / factors.sum()
    return right._replace(mean=(mean, mean))


def no_numbers_in_one_frame(image: jax.Array, hartley: jax.Array, factors: jax.Array) -> Results:
    return on_device(image, hartley, factors.at[2].set(np.nan))


def an_error(image: jax.Array, hartley: jax.Array, factors: jax.Array) -> Results:
    raise RuntimeError("CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error\nat …")


@pytest.mark.parametrize(
    ("compute", "told"),
    [
        (products_of_few_bits, "matrix products .* off by 0.00"),
        (one_wrong_pixel_of_one_frame, "Fourier transforms .* off by 0.001 "),
        (a_frame_left_out, "sums .* off by 0.0"),
        (no_numbers_in_one_frame, "off by nan"),
        (an_error, "^CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error$"),
    ],
)
def test_wrong_arithmetic_is_found(compute: Callable[..., Results], told: str) -> None:
    fault = check_device(ON_CPU, compute)
    assert fault is not None
    with pytest.raises(RuntimeError, match=told):
        raise RuntimeError(fault)


@pytest.mark.parametrize(
    "said",
    [
        "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes",
        "INTERNAL: RET_CHECK failure fft_plan != nullptr Failed to create cuFFT batched plan with scratch allocator",
        "INTERNAL: CUBLAS_STATUS_ALLOC_FAILED",
    ],
)
def test_memory_that_is_used_up_is_no_fault_of_the_device(said: str) -> None:
    def full(image: jax.Array, hartley: jax.Array, factors: jax.Array) -> Results:
        raise RuntimeError(said)

    with pytest.raises(NotCheckedError, match="its memory is used up"):
        check_device(ON_CPU, full)


def test_a_check_is_due_an_hour_after_the_one_before() -> None:
    checkups = Checkups(100.0, 3600.0)
    assert (checkups.wait_s(100.0), checkups.due(3699.9), checkups.due(3700.0)) == (3600.0, False, True)
    assert checkups.wait_s(5000.0) == 0.0
    checkups.done(5001.0)
    assert (checkups.due(8600.9), checkups.wait_s(8600.0)) == (False, 1.0)
    checkups.postponed(9000.0)
    assert (checkups.due(9059.9), checkups.due(9060.0)) == (False, True)


LONGEST_S = 120.0
"""So long a compute process may say nothing: where others use the cores, its imports alone take half a minute."""

PROGRAM = """
import socket, sys
from warpcore.services.worker.channel import Channel
from warpcore.services.worker.compute import Compute
from warpcore.services.worker.line import Command, Ready
line = Channel(socket.socket(fileno=int(sys.argv[1])), Command)
Compute(line, Ready("cuda:0", 8, {}), lambda: "the sums are off", every_s=float(sys.argv[2])).run()
"""


@contextmanager
def compute_process(every_s: float) -> Iterator[tuple[Channel[Command, Report], subprocess.Popen[bytes]]]:
    """A real compute process whose device fails each check, and the nanny's end of the line to it."""
    ours, theirs = socket.socketpair()
    ours.settimeout(LONGEST_S * crowd())
    command = [sys.executable, "-c", PROGRAM, str(theirs.fileno()), str(every_s)]
    with ours, subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        try:
            yield Channel(ours, Report), process
        finally:
            process.kill()


def reports(line: Channel[Command, Report]) -> Iterator[Report]:
    """All that a compute process says until it ends."""
    while True:
        try:
            yield line.receive()
        except ChannelClosedError as error:
            if isinstance(error.__context__, TimeoutError):
                pytest.fail(f"the compute process says nothing for {LONGEST_S} s of a machine of its own")
            return


def test_a_check_that_fails_between_movies_ends_the_process_and_sets_the_worker_aside() -> None:
    world = World("a.tif", "b.tif", workers=("w",))
    nanny = Nanny(Identity("w", "i", "h", 1))
    nanny.registered = True
    with compute_process(0.2) as (line, process):
        said = list(reports(line))
        assert said == [Ready("cuda:0", 8, {}), Faulty(Ready("cuda:0", 8, {}), "the sums are off")]
        assert process.wait(LONGEST_S * crowd()) == DEVICE_EXIT
    effects = [effect for report in said for effect in nanny.from_compute(report, 1.0)]
    for effect in effects:
        if isinstance(effect, ToScheduler):
            world.do(FromWorker(b"w", effect.message))
    (worker,) = world.ask(m.GetWorkers()).workers
    assert (worker.state, worker.reason, worker.failed) == ("set_aside", "bad GPU: the sums are off", 0)
    assert {world.status(name) for name in ("a", "b")} == {"unprocessed"}
    assert sorted(world.cancelled) == sorted(world.tasks[name].lease for name in ("a", "b"))
    told = [effect for effect in world.do(FromWorker(b"w", m.PullTasks("w", 2))) if isinstance(effect, Publish)]
    assert not told, "it is given nothing more"


def test_a_movie_with_an_unexpected_error_on_a_faulty_device_fails_for_the_device(tmp_path: Path) -> None:
    movie = tmp_path / "a.mrc"
    movie.write_text("any")
    seen = (movie.stat().st_size, movie.stat().st_mtime_ns)
    unexpected = {"motion": 5}
    task = m.AssignTask(7, "process", "a", "a.mrc", *seen, ["motion"], {}, unexpected, {}, str(tmp_path), str(tmp_path))
    with compute_process(3600.0) as (line, process):
        line.send(Begin(task))
        *_, failed, faulty = reports(line)
        assert isinstance(failed, Failed)
        assert failed.kind is FailureKind.BAD_GPU
        assert "(device check: the sums are off)" in failed.message
        assert faulty == Faulty(Ready("cuda:0", 8, {}), "the sums are off")
        assert process.wait(LONGEST_S * crowd()) == DEVICE_EXIT
