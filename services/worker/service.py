"""The nannies' shell: a connection to each scheduler, the compute processes, their logs."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import zmq

from warpcore.bus import messages as m
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import WireError
from warpcore.bus.keys import ClientKey
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.process.alive import tell_alive
from warpcore.services.process.instances import has_ended, new_instance
from warpcore.services.process.logs import always
from warpcore.services.process.threads import available_threads
from warpcore.services.session.path_map import AS_TOLD, PathMap
from warpcore.services.worker.backends import NO_PLUGIN, has_plugin
from warpcore.services.worker.caches import cache_directory, lock_folder
from warpcore.services.worker.channel import ChannelBrokenError, ChannelClosedError
from warpcore.services.worker.compute_process import ComputeProcess
from warpcore.services.worker.computing import processes_for
from warpcore.services.worker.devices import DeviceError, environment_for, gpu_of, own_fraction
from warpcore.services.worker.effects import (
    End,
    GiveUp,
    KillCompute,
    LookAt,
    LookFor,
    StartCompute,
    ToCompute,
    ToScheduler,
)
from warpcore.services.worker.gpu_claims import Claim, claim_gpu, claim_one
from warpcore.services.worker.gpu_watch import GpuWatch
from warpcore.services.worker.gpus import visible_gpus
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.leaving import Leaving
from warpcore.services.worker.link import Link
from warpcore.services.worker.load import LoadMeter, card_of
from warpcore.services.worker.log_lines import LogLines
from warpcore.services.worker.nanny import Nanny
from warpcore.services.worker.nvml import host_uuids, open_nvml
from warpcore.services.worker.sharing import Addressed, Shared

log = logging.getLogger("warpcore.worker")

POLL_MS = 200
GOODBYE_S = 2.0
LOAD_EVERY_S = 2.0


def default_name(device: str) -> str:
    """`host/cuda:0` on a GPU. Several CPU workers may share a host, so the process id is in their names."""
    kind = device if device.startswith("cuda:") else f"{device}-{os.getpid()}"
    return f"{socket.gethostname()}/{kind}"


def named(name: str, key: ClientKey | None) -> str:
    """The name that a worker goes by: what is no name of its key gets that key's name in front."""
    return name if key is None or key.holder.speaks_for(name) else f"{key.holder.name}/{name}"


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


@dataclass(frozen=True, slots=True)
class Served:
    """A scheduler that a worker serves, and the key under which it connects there."""

    endpoints: Endpoints
    key: ClientKey | None = None


def run_worker(
    served: Sequence[Served],
    *,
    name: str | None = None,
    device: str = "auto",
    processes: int | None = None,
    rest_after_s: float | None = None,
    paths: PathMap = AS_TOLD,
    wall_time_s: float | None = None,
    idle_end_s: float | None = None,
    pool: str = "",
    stop: threading.Event,
) -> int:
    """Serve these schedulers until `stop` is set. Raises DeviceError for a device that is not there.

    `processes` compute on the device beside each other; None: as many as `processes_on` gives. Without a movie for
    `rest_after_s` (None: never) they are ended, and started again for the next one. The worker ends by itself before
    `wall_time_s` are over, and after `idle_end_s` without a movie of any scheduler. `paths` says
    where this host sees the folders that schedulers name. `pool` is `POOL/JOB` where a pool has started it.
    """
    ends_at = None if wall_time_s is None else time.monotonic() + wall_time_s
    device, claim = take_device(device, lock_folder(), os.environ.get("CUDA_VISIBLE_DEVICES"), has_plugin())
    instance, processes = new_instance(), processes or processes_on(device)
    nannies = [
        Nanny(
            Identity(named(name or default_name(device), one.key), instance, socket.gethostname(), os.getpid(), pool),
            processes=processes,
            rest_after_s=rest_after_s,
            leaving=Leaving(ends_at, idle_end_s),
        )
        for one in served
    ]
    always(worker=nannies[0].identity.name)
    shell = _Shell(served, Shared(nannies), device, processes, paths)
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
    """Carries out the nannies' effects."""

    def __init__(self, served: Sequence[Served], shared: Shared, device: str, processes: int, paths: PathMap) -> None:
        self._shared = shared
        self._paths = paths
        self._device = device
        self._poller = zmq.Poller()
        self._environment = compute_environment(device, processes)
        self._computing: dict[int, ComputeProcess] = {}
        self._lines = LogLines()
        logging.getLogger().addHandler(self._lines)
        self._links = [
            Link(one.endpoints, nanny, one.key, self._lines, paths)
            for one, nanny in zip(served, shared.nannies, strict=True)
        ]
        for link in self._links:
            self._poller.register(link.dealer.socket, zmq.POLLIN)
        self._meter = LoadMeter(card_of(self._environment))
        self._watch = GpuWatch(shared.nannies[0].identity.name)
        self._load = m.Load()
        self._load_at = float("-inf")
        self._warnings: dict[str, str] = {}
        self._given_up: str | None = None
        self._ended = False

    def run(self, stop: threading.Event) -> None:
        """The loop: hear all sides, tick, end in good order."""
        for link in self._links:
            log.info("worker %s serves the scheduler at %s", link.name, link.dealer.endpoint)
        for there, here in self._paths.pairs:
            log.info("%s of the scheduler's host is %s here", there, here)
        self._do(self._shared.start(time.monotonic()))
        while not (stop.is_set() or self._ended or self._given_up is not None):
            self._round()
        self._do(self._shared.stop(time.monotonic()))
        deadline = time.monotonic() + GOODBYE_S
        while self._shared.waits_for_answers and time.monotonic() < deadline:
            self._round()
        if self._given_up is not None:
            raise DeviceError(self._given_up)

    def close(self) -> None:
        """End the compute processes and the sockets, whatever happened."""
        for compute in self._computing.values():
            compute.end()
        for link in self._links:
            link.close()
        logging.getLogger().removeHandler(self._lines)

    def _round(self) -> None:
        self._poller.poll(POLL_MS)
        now = time.monotonic()
        for number, link in enumerate(self._links):
            for message, reply_to in link.heard():
                self._do(self._shared.from_scheduler(number, message, reply_to, now))
        for process in list(self._computing):
            self._hear_compute(process, now)
        if now - self._load_at >= LOAD_EVERY_S:
            self._measure(now)
        self._do(self._shared.tick(now, self._load, list(self._warnings.values())))
        for link in self._links:
            link.tell(now)

    def _measure(self, now: float) -> None:
        self._load = self._meter.measure([compute.process.pid for compute in self._computing.values()])
        self._load_at = now
        tell_alive()
        before, self._warnings = self._warnings, self._watch.see(self._load, now)
        for about in self._warnings.keys() - before.keys():
            log.warning("%s", self._warnings[about])

    def _hear_compute(self, number: int, now: float) -> None:
        compute = self._computing[number]
        try:
            for report in compute.line.drain():
                self._do(self._shared.from_compute(report, now, number))
        except ChannelClosedError as error:
            self._poller.unregister(compute.line.fileno)
            kind, cause = compute.end()
            if isinstance(error, ChannelBrokenError):
                kind, cause = FailureKind.LOST_WORKER, str(error)
            del self._computing[number]
            if not self._shared.expects_end(number):
                log.error("compute process %s ended: %s", compute.process.pid, cause)
            self._do(self._shared.compute_exited(kind, cause, now, number))

    def _do(self, effects: list[Addressed]) -> None:
        for number, effect in effects:
            if isinstance(effect, ToScheduler):
                self._to_scheduler(number, effect)
            elif isinstance(effect, ToCompute):
                self._to_compute(effect)
            elif isinstance(effect, StartCompute):
                compute = ComputeProcess(self._device, self._environment, cache_directory(), self._paths)
                self._computing[effect.process] = compute
                self._poller.register(compute.line.fileno, zmq.POLLIN)
            elif isinstance(effect, KillCompute):
                self._kill(effect)
            elif isinstance(effect, LookAt):
                self._links[number].folders.ask(effect.question)
            elif isinstance(effect, LookFor):
                if has_ended(effect.instance):
                    log.info("the worker of this name before has ended; this one takes its place")
                    self._do(self._shared.instance_ended(number, effect.instance, time.monotonic()))
            elif isinstance(effect, GiveUp):
                self._given_up = effect.why
            elif isinstance(effect, End):
                log.info("this worker ends: %s", effect.why)
                self._ended = True

    def _to_scheduler(self, number: int, effect: ToScheduler) -> None:
        try:
            self._links[number].dealer.send(effect.message, id=effect.id)
        except WireError as error:
            log.error("not sent: %s", error)
            self._do(self._shared.unsendable(number, effect, str(error), time.monotonic()))

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
