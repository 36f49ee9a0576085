"""The nanny's shell: its socket to the scheduler, its compute processes, their logs."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import platformdirs
import zmq

from warpcore.bus import messages as m
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, WireError
from warpcore.bus.requester import read_answer
from warpcore.bus.schema import read_message
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.process.instances import has_ended, new_instance
from warpcore.services.process.logs import always
from warpcore.services.process.threads import available_threads
from warpcore.services.worker.backends import NO_PLUGIN, has_plugin
from warpcore.services.worker.channel import Channel, ChannelBrokenError, ChannelClosedError
from warpcore.services.worker.computing import processes_for
from warpcore.services.worker.devices import DeviceError, environment_for, gpu_of, own_fraction
from warpcore.services.worker.effects import (
    Effect,
    GiveUp,
    KillCompute,
    LookAt,
    LookFor,
    StartCompute,
    ToCompute,
    ToScheduler,
)
from warpcore.services.worker.exits import exit_cause, oom_kills
from warpcore.services.worker.gpu_claims import Claim, claim_gpu, claim_one
from warpcore.services.worker.gpu_watch import GpuWatch
from warpcore.services.worker.gpus import visible_gpus
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.line import Command, Report
from warpcore.services.worker.load import LoadMeter, card_of
from warpcore.services.worker.log_lines import LogLines, Output
from warpcore.services.worker.nanny import Nanny
from warpcore.services.worker.nvml import host_uuids, open_nvml
from warpcore.services.worker.seeing import FolderLook, trouble

log = logging.getLogger("warpcore.worker")

POLL_MS = 200
GOODBYE_S = 2.0
LOAD_EVERY_S = 2.0
LAST_WORDS_S = 1.0
"""How long the last log lines of an ended compute process are waited for."""


def default_name(device: str) -> str:
    """`host/cuda:0` on a GPU. Several CPU workers may share a host, so the process id is in their names."""
    kind = device if device.startswith("cuda:") else f"{device}-{os.getpid()}"
    return f"{socket.gethostname()}/{kind}"


def cache_directory() -> Path:
    """Where compiled kernels are kept between runs; `WARPCORE_CACHE` moves it."""
    return _cache() / "jax"


def lock_folder() -> Path:
    """Where workers of one user show which GPUs they use. A home that several hosts share does no harm: see UUIDs."""
    return _cache() / "gpus"


def _cache() -> Path:
    return Path(os.environ.get("WARPCORE_CACHE") or platformdirs.user_cache_dir("warpcore"))


def compute_environment(device: str, processes: int = 1) -> dict[str, str]:
    """The environment of each of some compute processes on this device."""
    return {**os.environ, **environment_for(device, processes=processes)}


def processes_on(device: str) -> int:
    """How many compute processes share the device: a few on a GPU of which NVML tells the memory, else one."""
    environment = compute_environment(device)
    card = card_of(environment)
    memory = card.memory_bytes() if card is not None else None
    share = own_fraction(environment)  # the user's, or what is set where there is none
    return processes_for(int(memory * share) if memory and share else memory, available_threads())


def run_worker(
    endpoints: Endpoints,
    *,
    name: str | None = None,
    device: str = "auto",
    processes: int | None = None,
    rest_after_s: float | None = None,
    stop: threading.Event,
) -> int:
    """Serve the scheduler at `endpoints` until `stop` is set. Raises DeviceError for a device that is not there.

    `processes` compute on the device beside each other; None: as many as `processes_on` gives. Without a movie for
    `rest_after_s` (None: never) they are ended, and started again for the next one.
    """
    device, claim = take_device(device, lock_folder(), os.environ.get("CUDA_VISIBLE_DEVICES"), has_plugin())
    identity = Identity(
        name=name or default_name(device), instance=new_instance(), host=socket.gethostname(), pid=os.getpid()
    )
    always(worker=identity.name)
    nanny = Nanny(identity, processes=processes or processes_on(device), rest_after_s=rest_after_s)
    shell = _Shell(endpoints, nanny, device)
    try:
        shell.run(stop)
    finally:
        shell.close()
        if claim is not None:
            claim.release()
    return 0


def take_device(device: str, locks: Path, visible: str | None, plugin: bool) -> tuple[str, Claim | None]:
    """The device that is meant, and the claim on its GPU: `auto` is the first GPU that no other worker has.

    `visible` is `CUDA_VISIBLE_DEVICES`, `plugin` whether JAX's plugin for CUDA is installed.
    Without a GPU `auto` stays `auto`; without the plugin it is the CPU. A GPU that is named is used in any
    case. Raises DeviceError where none is free.
    """
    named = gpu_of(device)
    if device == "cpu":
        return device, None
    gpus = visible_gpus(named or visible, host_uuids(open_nvml()))
    if not gpus:
        return device, None
    if named is None and not plugin:
        log.warning("this worker computes on the CPU: the host has a GPU, but %s", NO_PLUGIN)
        return "cpu", None
    claim = claim_one(gpus, locks) if named is None else claim_gpu(gpus[0], locks, shared=True)
    return f"cuda:{(claim.gpu if claim is not None else gpus[0]).name}", claim


class _Shell:
    """Carries out the nanny's effects."""

    def __init__(self, endpoints: Endpoints, nanny: Nanny, device: str) -> None:
        self._nanny = nanny
        self._device = device
        self._dealer = Dealer(endpoints.workers, nanny.identity.instance.encode(), nanny.identity.name)
        self._poller = zmq.Poller()
        self._poller.register(self._dealer.socket, zmq.POLLIN)
        self._environment = compute_environment(device, nanny.processes)
        self._computing: dict[int, _ComputeProcess] = {}
        self._lines = LogLines()
        logging.getLogger().addHandler(self._lines)
        self._output = Output()
        self._meter = LoadMeter(card_of(self._environment))
        self._watch = GpuWatch(nanny.identity.name)
        self._folders = FolderLook(nanny.identity.name)
        self._unseen = ""
        self._load = m.Load()
        self._load_at = float("-inf")
        self._warnings: dict[str, str] = {}
        self._given_up: str | None = None
        self._told_taken = ""

    def run(self, stop: threading.Event) -> None:
        """The loop: hear both sides, tick, end in good order."""
        log.info("worker %s serves the scheduler", self._nanny.identity.name)
        self._do(self._nanny.start(time.monotonic()))
        while not stop.is_set() and self._given_up is None:
            self._round()
        self._do(self._nanny.stop(time.monotonic()))
        deadline = time.monotonic() + GOODBYE_S
        while self._nanny.waits_for_answers and time.monotonic() < deadline:
            self._round()
        if self._given_up is not None:
            raise DeviceError(self._given_up)

    def close(self) -> None:
        """End the compute processes and the socket, whatever happened."""
        for compute in self._computing.values():
            compute.end(lambda: self._output.last)
        self._dealer.close()
        logging.getLogger().removeHandler(self._lines)

    def _round(self) -> None:
        self._poller.poll(POLL_MS)
        now = time.monotonic()
        for envelope in self._dealer.receive():
            self._hear_scheduler(envelope, now)
        for number in list(self._computing):
            self._hear_compute(number, now)
        if now - self._load_at >= LOAD_EVERY_S:
            self._measure(now)
        self._do(self._nanny.tick(now, self._load, list(self._warnings.values())))
        if (seen := self._folders.answer(now)) is not None:
            self._say_seen(seen)
        if self._nanny.registered and (lines := self._lines.take()):
            self._dealer.send(m.WorkerLog(worker=self._nanny.identity.name, lines=lines))

    def _say_seen(self, seen: m.WorkerSees) -> None:
        before, self._unseen = self._unseen, trouble(seen)
        if bool(before) != bool(self._unseen):
            log.warning("%s", self._unseen or "this worker sees the folders of the session again")
        self._dealer.send(seen)

    def _measure(self, now: float) -> None:
        self._load = self._meter.measure([compute.process.pid for compute in self._computing.values()])
        self._load_at = now
        before, self._warnings = self._warnings, self._watch.see(self._load, now)
        for about in self._warnings.keys() - before.keys():
            log.warning("%s", self._warnings[about])

    def _hear_scheduler(self, envelope: Envelope, now: float) -> None:
        if envelope.reply_to is not None:
            message = read_answer(envelope, self._dealer.endpoint)
            if isinstance(message, m.Error):
                log.warning("the scheduler refuses a request of this worker: %s; asking again", message.detail)
            if isinstance(message, m.WaitForName):
                self._tell_taken(message)
        else:
            try:
                message = read_message(envelope.type, envelope.body)
            except WireError as error:
                log.warning("dropped a message of the scheduler: %s", error)
                return
            if isinstance(message, m.CancelTask):
                text, lease = "the scheduler cancels lease %d: %s", message.lease
                log.info(text, lease, message.reason, extra={"lease": lease})
        if isinstance(message, m.WorkerRegistered):
            self._lines.tell_again()
        self._do(self._nanny.from_scheduler(message, envelope.reply_to, now))

    def _tell_taken(self, taken: m.WaitForName) -> None:
        """Say once for each other instance of this worker's name why it gets no movies."""
        if taken.instance == self._told_taken:
            return
        self._told_taken = taken.instance
        who = f"process {taken.pid} on {taken.host}" if taken.host else "a worker of before the scheduler's restart"
        log.warning(
            "the name %s is taken by %s, heard %.0f s ago; this worker waits until that one has ended or is silent. "
            "To run both, give one of them another --name",
            *(taken.worker, who, taken.silent_s),
        )

    def _hear_compute(self, number: int, now: float) -> None:
        compute = self._computing[number]
        try:
            for report in compute.line.drain():
                self._do(self._nanny.from_compute(report, now, number))
        except ChannelClosedError as error:
            self._poller.unregister(compute.line.fileno)
            kind, cause = compute.end(lambda: self._output.last)
            if isinstance(error, ChannelBrokenError):
                kind, cause = FailureKind.LOST_WORKER, str(error)
            del self._computing[number]
            if not (self._nanny.stopping or self._nanny.aside or self._nanny.rests(number)):
                log.error("compute process %s ended: %s", compute.process.pid, cause)
            self._do(self._nanny.compute_exited(kind, cause, now, number))

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, ToScheduler):
                self._to_scheduler(effect)
            elif isinstance(effect, ToCompute):
                self._to_compute(effect)
            elif isinstance(effect, StartCompute):
                compute = _ComputeProcess(self._device, self._environment, self._output)
                self._computing[effect.process] = compute
                self._poller.register(compute.line.fileno, zmq.POLLIN)
            elif isinstance(effect, KillCompute):
                self._kill(effect)
            elif isinstance(effect, LookAt):
                self._folders.ask(effect.question)
            elif isinstance(effect, LookFor):
                if has_ended(effect.instance):
                    log.info("the worker of this name before has ended; this one takes its place")
                    self._do(self._nanny.instance_ended(effect.instance, time.monotonic()))
            elif isinstance(effect, GiveUp):
                self._given_up = effect.why

    def _to_scheduler(self, effect: ToScheduler) -> None:
        try:
            self._dealer.send(effect.message, id=effect.id)
        except WireError as error:
            log.error("not sent: %s", error)
            self._do(self._nanny.unsendable(effect, str(error), time.monotonic()))

    def _kill(self, effect: KillCompute) -> None:
        compute = self._computing.get(effect.process)
        if compute is not None:
            log.info("ending compute process %s: %s", compute.process.pid, effect.why)
            compute.kill()

    def _to_compute(self, effect: ToCompute) -> None:
        compute = self._computing.get(effect.process)
        if compute is None:
            return
        try:
            compute.line.send(effect.command)
        except ChannelClosedError as error:
            log.info("compute process does not listen any more (%s); its end is reported next", error)


class _ComputeProcess:
    """A running compute process, the line to it, and a thread that reads its log."""

    def __init__(self, device: str, environment: Mapping[str, str], output: Output) -> None:
        ours, theirs = socket.socketpair()
        command = [
            *(sys.executable, "-m", "warpcore.services.worker.compute"),
            *("--line", str(theirs.fileno()), "--device", device, "--cache", str(cache_directory())),
        ]
        self.oom_kills = oom_kills()
        self.process = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno()],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        theirs.close()
        self.line: Channel[Command, Report] = Channel(ours, Report)
        self._reader = threading.Thread(target=output.read_from, args=(self.process,), daemon=True)
        self._reader.start()

    def kill(self) -> None:
        """End it by SIGKILL, since a computation cannot be interrupted in any other way."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)

    def end(self, last_line: Callable[[], str]) -> tuple[FailureKind, str]:
        """Kill it if it still lives, close the line, and return why it ended."""
        self.kill()
        status = self.process.wait()
        self.line.close()
        self._reader.join(LAST_WORDS_S)
        return exit_cause(status, oom_kills() - self.oom_kills, last_line())
