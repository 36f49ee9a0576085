"""The compute process: three stages (load, compute, write) that overlap over consecutive movies, one device.

The nanny starts it with one end of a socket pair as file descriptor `--line`. It ends when the line does, so a nanny
that is killed takes its computation with it.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import queue
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from warpcore.bus.vocabulary import FailureKind
from warpcore.services.process.logs import LogFormat, about, log_to_stderr
from warpcore.services.session.path_map import AS_TOLD, PathMap
from warpcore.services.worker.channel import Channel, ChannelBrokenError, ChannelClosedError
from warpcore.services.worker.checking import DeviceChecks, report_fault
from warpcore.services.worker.checkups import CHECK_EVERY_S
from warpcore.services.worker.compiling import CompileCount
from warpcore.services.worker.exits import DEVICE_EXIT, FULL_EXIT
from warpcore.services.worker.failures import CancelledError, TaskError, classify
from warpcore.services.worker.jobs import Job, Told
from warpcore.services.worker.line import (
    Begin,
    Command,
    Dropped,
    Failed,
    Finished,
    Noticed,
    Progress,
    Ready,
    Report,
    Stage,
    Unusable,
)
from warpcore.services.worker.warmth import Warmth

if TYPE_CHECKING:
    from warpcore.services.worker.gain_watch import GainWatch

log = logging.getLogger("warpcore.worker.compute")

STAGE_FAULT_EXIT = 70
GPU_SWITCH_S = 0.0005
"""How long a stage's Python may keep the others waiting: a GPU is fed by many short calls."""


class Compute:
    """Owns the stages. Loading and writing have a thread each; the main thread computes."""

    def __init__(
        self,
        line: Channel[Report, Command],
        ready: Ready,
        check: Callable[[], str | None],
        every_s: float = CHECK_EVERY_S,
        cache: Path | None = None,
        paths: PathMap = AS_TOLD,
    ) -> None:
        """`check` tells what is wrong with the device, or None; it runs between movies, `every_s` apart.

        With a folder `cache` kernels are compiled before the first movie, for one like the last on this host. `paths`
        says where this host sees the folders that tasks name.
        """
        self._paths = paths
        self._compiled = CompileCount()
        self._warmth = Warmth(cache, self._compiled)
        self._line = line
        self._ready = ready
        self._checks = DeviceChecks(line, ready, check, every_s)
        self._jobs: dict[int, Job] = {}
        self._to_load: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._to_compute: queue.Queue[Job] = queue.Queue(maxsize=1)
        self._to_write: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._told = Told(line, self._jobs)
        self._guard = threading.Lock()
        self._watches: dict[str, GainWatch] = {}
        """By session, which its processing directory names: others have gains of their own."""

    def run(self) -> None:
        """Serve until the line ends; that ends the process, whatever the stages are doing."""
        _begin(self._listen)
        self._compiled.listen()
        self._line.send(self._ready)
        # Before the stages import it in threads of their own: those could find modules that are half imported.
        import warpcore.services.worker.pipeline  # noqa: F401

        _begin(self._load_all)
        _begin(self._write_all)
        self._warmth.warm_up(lambda: not self._to_compute.empty())
        while True:
            self._checks.check_if_due()
            self._compute_next()

    def _compute_next(self) -> None:
        """Compute the next movie; return without one where a check of the device is due before it comes."""
        try:
            job = self._to_compute.get(timeout=self._checks.wait_s())
        except queue.Empty:
            return
        self._compute_one(job)

    def _listen(self) -> None:
        try:
            while True:
                self._command(self._line.receive())
        except ChannelBrokenError:
            raise
        except ChannelClosedError:
            os._exit(0)

    def _command(self, command: Command) -> None:
        if isinstance(command, Begin):
            self._jobs[command.number] = job = Job(command.task, command.number)
            self._to_load.put(job)
            return
        held = self._jobs.get(command.lease)
        if held is None:
            return
        held.cancelled.set()
        with self._guard:
            waits = not held.in_stage
        if waits:
            self._drop(held)

    # --- stages ----------------------------------------------------------------------------------------------------

    def _load_all(self) -> None:
        from warpcore.services.worker.pipeline import load

        def load_one(job: Job) -> None:
            report = self._told.progress_of(job, Stage.LOAD)
            if self._stage(job, Stage.LOAD, lambda: load(job.task, report, paths=self._paths)):
                self._to_compute.put(job)

        # No movie is held on to while the next is waited for, here and below.
        while True:
            load_one(self._to_load.get())

    def _compute_one(self, job: Job) -> None:
        from warpcore.services.worker.gain_watch import GainWatch
        from warpcore.services.worker.pipeline import compute

        session = job.task.processing_directory
        watch = self._watches.setdefault(session, GainWatch())
        before = watch.warnings
        if self._stage(
            job, Stage.COMPUTE, lambda: compute(job.payload, self._told.progress_of(job, Stage.COMPUTE), watch)
        ):
            self._warmth.remember(job.payload)
            # From here on a crash is not this movie's doing, though it may wait for the writer for long.
            self._line.send(Progress(job.number, Stage.WRITE, "write", 0.0))
            self._to_write.put(job)
        if watch.warnings != before:
            self._line.send(Noticed(warnings=list(watch.warnings), processing_directory=session))
        news = self._compiled.news()
        if news is not None:
            log.info("%s", news)

    def _write_all(self) -> None:
        from warpcore.services.worker.pipeline import stage_outputs

        def write_one(job: Job) -> None:
            products = job.payload
            if self._stage(job, Stage.WRITE, lambda: stage_outputs(products, self._told.progress_of(job, Stage.WRITE))):
                self._finish(job, products)

        while True:
            write_one(self._to_write.get())

    def _finish(self, job: Job, products: Any) -> None:
        """Tell what was made, even where the task was cancelled meanwhile: under its lease nothing comes of it."""
        del self._jobs[job.number]
        seconds = {name: round(value, 4) for name, value in {**job.seconds, **products.seconds}.items()}
        self._line.send(Finished(job.number, products.run, products.results, job.payload.outputs, seconds))

    def _stage(self, job: Job, stage: Stage, work: Any) -> bool:
        """Run one stage of a job; False if the job ended there. Nothing that a movie does may end the process."""
        with about(movie=job.task.name, lease=job.task.lease, session=job.task.processing_directory):
            return self._run_stage(job, stage, work)

    def _run_stage(self, job: Job, stage: Stage, work: Any) -> bool:
        with self._guard:
            job.in_stage = True
        if job.cancelled.is_set():
            self._drop(job)
            return False
        begun = time.monotonic()
        try:
            job.payload = work()
        except CancelledError:
            failure = None
        except Exception as error:  # noqa: BLE001 - every failure of a movie is classified and reported
            failure = classify(error, job.step)
        else:
            job.seconds[stage] = time.monotonic() - begun
            with self._guard:
                job.in_stage = stage is Stage.WRITE  # then it is finished
            return True
        # Outside of the handlers: a traceback holds on to all that the movie has on the device.
        if failure is None:
            self._drop(job)
        else:
            self._fail(job, failure)
        return False

    def _fail(self, job: Job, error: TaskError) -> None:
        job.payload = None
        fault = self._checks.fault_behind(error)
        if fault is not None:
            error = TaskError(FailureKind.BAD_GPU, error.step, f"{error.message} (device check: {fault})")
        self._jobs.pop(job.number, None)
        self._line.send(Failed(job.number, error.kind, error.step, error.message))
        if fault is not None:
            self._checks.end_faulty(fault)

    def _drop(self, job: Job) -> None:
        job.payload = None
        with self._guard:
            held = self._jobs.pop(job.number, None)
        if held is not None:
            self._line.send(Dropped(job.number))


def _begin(stage: Callable[[], None]) -> None:
    threading.Thread(target=_or_end, args=(stage,), name=stage.__name__, daemon=True).start()


def _or_end(stage: Callable[[], None]) -> None:
    """Run a stage. A fault in the stage itself ends the process, so that the nanny reports it and starts another."""
    try:
        stage()
    except BaseException:
        log.critical("%s has failed", stage.__name__, exc_info=True)
        os._exit(STAGE_FAULT_EXIT)


def main() -> None:
    """Entry of the process: `python -m warpcore.services.worker.compute --line FD --device DEVICE --cache FOLDER`.

    `--path-map /there=/here`, any number of times, says where this host sees the scheduler's folders.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--line", type=int, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--path-map", action="append", default=[])
    options = parser.parse_args()
    faulthandler.enable()
    log_to_stderr(LogFormat.JSON)  # the nanny reads it
    logging.getLogger("jax").setLevel(logging.WARNING)
    from warpcore.services.worker.devices import DeviceError, FullError, UnusableError, open_device, unopened

    line: Channel[Report, Command] = Channel(socket.socket(fileno=options.line), Command)
    try:
        ready = open_device(options.device, options.cache)
    except UnusableError as error:
        log.error("%s", error)
        line.send(Unusable(str(error)))
        sys.exit(DEVICE_EXIT)
    except FullError as error:  # the nanny tries again after a pause
        log.error("%s", error)
        sys.exit(FULL_EXIT)
    except DeviceError as error:
        report_fault(line, unopened(options.device), str(error))
        sys.exit(DEVICE_EXIT)
    from warpcore.services.worker.device_check import NotCheckedError, check_device

    try:
        fault = check_device()
    except NotCheckedError as error:
        log.warning("%s", error)
        fault = None
    if fault is not None:
        report_fault(line, ready, fault)
        sys.exit(DEVICE_EXIT)
    if not ready.device.startswith("cpu"):
        sys.setswitchinterval(GPU_SWITCH_S)
    # A CPU has better things to do than to work on noise, and compiles in seconds.
    cache = None if ready.device.startswith("cpu") else options.cache
    Compute(line, ready, check_device, cache=cache, paths=PathMap.of(options.path_map)).run()


if __name__ == "__main__":
    main()
