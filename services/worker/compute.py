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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from warpcore.bus.messages import AssignTask
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.process.logs import LogFormat, about, log_to_stderr
from warpcore.services.worker.channel import Channel, ChannelBrokenError, ChannelClosedError
from warpcore.services.worker.checkups import CHECK_EVERY_S, Checkups
from warpcore.services.worker.compiling import CompileCount
from warpcore.services.worker.exits import DEVICE_EXIT, FULL_EXIT
from warpcore.services.worker.failures import CancelledError, TaskError, classify, sendable
from warpcore.services.worker.line import (
    Begin,
    Command,
    Dropped,
    Failed,
    Faulty,
    Finished,
    Noticed,
    Progress,
    Ready,
    Report,
    Stage,
    Unusable,
)

if TYPE_CHECKING:
    from warpcore.services.worker.gain_watch import GainWatch
    from warpcore.services.worker.warm_up import LastMovie

log = logging.getLogger("warpcore.worker.compute")

PROGRESS_EVERY_S = 0.25
STAGE_FAULT_EXIT = 70
GPU_SWITCH_S = 0.0005
"""How long a stage's Python may keep the others waiting: a GPU is fed by many short calls."""


@dataclass
class Job:
    """One task on its way through the stages, waiting for the next unless it is `in_stage`. `seconds` measures each."""

    task: AssignTask
    cancelled: threading.Event = field(default_factory=threading.Event)
    seconds: dict[str, float] = field(default_factory=dict)
    payload: Any = None
    step: str = "load"
    in_stage: bool = False


class Compute:
    """Owns the stages. Loading and writing have a thread each; the main thread computes."""

    def __init__(
        self,
        line: Channel[Report, Command],
        ready: Ready,
        check: Callable[[], str | None],
        every_s: float = CHECK_EVERY_S,
        cache: Path | None = None,
    ) -> None:
        """`check` tells what is wrong with the device, or None; it runs between movies, `every_s` apart.

        With a folder `cache` kernels are compiled before the first movie, for one like the last on this host.
        """
        self._cache = cache
        self._last_movie: LastMovie | None = None
        self._compiled = CompileCount()
        self._line = line
        self._ready = ready
        self._check = check
        self._checkups = Checkups(time.monotonic(), every_s)
        self._jobs: dict[int, Job] = {}
        self._to_load: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._to_compute: queue.Queue[Job] = queue.Queue(maxsize=1)
        self._to_write: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._reported: dict[tuple[int, str], float] = {}
        self._guard = threading.Lock()

    def run(self) -> None:
        """Serve until the line ends; that ends the process, whatever the stages are doing."""
        _begin(self._listen)
        self._compiled.listen()
        self._line.send(self._ready)
        # Before the stages import it in threads of their own: those could find modules that are half imported.
        import warpcore.services.worker.pipeline  # noqa: F401
        from warpcore.services.worker.gain_watch import GainWatch

        _begin(self._load_all)
        _begin(self._write_all)
        self._warm_up()
        watch = GainWatch()
        while True:
            self._check_if_due()
            self._compute_next(watch)

    def _warm_up(self) -> None:
        """Compile for a movie like the last one, until a movie is there. Nothing that goes wrong here matters."""
        if self._cache is None:
            return
        from warpcore.services.worker.warm_up import recalled, warm_up

        def until_a_movie_is_there(step: str, fraction: float, message: str = "") -> None:
            if not self._to_compute.empty():
                raise CancelledError

        self._last_movie = recalled(self._cache)
        if self._last_movie is None:
            return
        begun = time.monotonic()
        try:
            warm_up(self._last_movie, until_a_movie_is_there)
        except CancelledError:
            pass
        except Exception as error:  # noqa: BLE001 - the first movie will show whether anything is wrong
            log.info("no warm-up: %s", classify(error, "warm-up").message)
        log.info("warmed up in %.1f s; %s", time.monotonic() - begun, self._compiled.news() or "nothing was compiled")

    def _remember(self, work: Any) -> None:
        from warpcore.services.worker.warm_up import last_movie, remember

        movie = last_movie(work)
        if self._cache is not None and movie is not None and movie != self._last_movie:
            self._last_movie = movie
            remember(movie, self._cache)

    def _compute_next(self, watch: GainWatch) -> None:
        """Compute the next movie; return without one where a check of the device is due before it comes."""
        try:
            job = self._to_compute.get(timeout=self._checkups.wait_s(time.monotonic()))
        except queue.Empty:
            return
        self._compute_one(job, watch)

    def _check_if_due(self) -> None:
        if not self._checkups.due(time.monotonic()):
            return
        from warpcore.services.worker.device_check import NotCheckedError

        try:
            fault = self._check()
        except NotCheckedError as error:
            log.warning("%s", error)
            self._checkups.postponed(time.monotonic())
            return
        if fault is not None:
            self._end_faulty(fault)
        self._checkups.done(time.monotonic())

    def _end_faulty(self, fault: str) -> NoReturn:
        """Tell the nanny, and end without more words with a device that may hang."""
        report_fault(self._line, self._ready, fault)
        os._exit(DEVICE_EXIT)

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
            self._jobs[command.task.lease] = job = Job(command.task)
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
            if self._stage(job, Stage.LOAD, lambda: load(job.task, self._progress(job, Stage.LOAD))):
                self._to_compute.put(job)

        # No movie is held on to while the next is waited for, here and below.
        while True:
            load_one(self._to_load.get())

    def _compute_one(self, job: Job, watch: GainWatch) -> None:
        from warpcore.services.worker.pipeline import compute

        before = watch.warnings
        if self._stage(job, Stage.COMPUTE, lambda: compute(job.payload, self._progress(job, Stage.COMPUTE), watch)):
            self._remember(job.payload)
            # From here on a crash is not this movie's doing, though it may wait for the writer for long.
            self._line.send(Progress(job.task.lease, Stage.WRITE, "write", 0.0))
            self._to_write.put(job)
        if watch.warnings != before:
            self._line.send(Noticed(warnings=list(watch.warnings)))
        news = self._compiled.news()
        if news is not None:
            log.info("%s", news)

    def _write_all(self) -> None:
        from warpcore.services.worker.pipeline import stage_outputs

        def write_one(job: Job) -> None:
            products = job.payload
            if self._stage(job, Stage.WRITE, lambda: stage_outputs(products, self._progress(job, Stage.WRITE))):
                self._finish(job, products)

        while True:
            write_one(self._to_write.get())

    def _finish(self, job: Job, products: Any) -> None:
        """Tell what was made, even where the task was cancelled meanwhile: under its lease nothing comes of it."""
        lease = job.task.lease
        del self._jobs[lease]
        seconds = {name: round(value, 4) for name, value in {**job.seconds, **products.seconds}.items()}
        self._line.send(Finished(lease, products.run, products.results, job.payload.outputs, seconds))

    def _stage(self, job: Job, stage: Stage, work: Any) -> bool:
        """Run one stage of a job; False if the job ended there. Nothing that a movie does may end the process."""
        with about(movie=job.task.name, lease=job.task.lease):
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
        fault = self._fault_behind(error)
        if fault is not None:
            error = TaskError(FailureKind.BAD_GPU, error.step, f"{error.message} (device check: {fault})")
        self._jobs.pop(job.task.lease, None)
        self._line.send(Failed(job.task.lease, error.kind, error.step, error.message))
        if fault is not None:
            self._end_faulty(fault)

    def _fault_behind(self, error: TaskError) -> str | None:
        """What is wrong with the device, where a failure can come from that."""
        from warpcore.services.worker.device_check import NotCheckedError

        if error.kind not in (FailureKind.INTERNAL, FailureKind.BAD_GPU):
            return None
        try:
            return self._check()
        except NotCheckedError as not_checked:
            log.warning("%s", not_checked)
            return None

    def _drop(self, job: Job) -> None:
        job.payload = None
        with self._guard:
            held = self._jobs.pop(job.task.lease, None)
        if held is not None:
            self._line.send(Dropped(job.task.lease))

    def _progress(self, job: Job, stage: Stage) -> Any:
        """The callback of a stage: raises CancelledError once the task is cancelled, else reports now and then."""

        def report(step: str, fraction: float, message: str = "") -> None:
            if job.cancelled.is_set():
                raise CancelledError
            begins = step != job.step
            job.step = step
            key, now = (job.task.lease, step), time.monotonic()
            if not begins and fraction < 1 and now - self._reported.get(key, 0.0) < PROGRESS_EVERY_S:
                return
            self._reported = {k: t for k, t in self._reported.items() if k[0] in self._jobs} | {key: now}
            self._line.send(Progress(job.task.lease, stage, step, float(fraction), sendable(message)))

        return report


def report_fault(line: Channel[Report, Command], ready: Ready, fault: str) -> None:
    """Tell the nanny that the device is faulty; the log says it too."""
    log.error("%s: %s", ready.device, fault)
    line.send(Faulty(ready, fault))


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
    """Entry of the process: `python -m warpcore.services.worker.compute --line FD --device DEVICE --cache FOLDER`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--line", type=int, required=True)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--cache", type=Path, required=True)
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
    Compute(line, ready, check_device, cache=cache).run()


if __name__ == "__main__":
    main()
