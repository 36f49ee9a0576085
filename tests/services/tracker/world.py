"""What the tests of the tracker share: a peer in place of the scheduler, particle files, and what is read back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import starfile
import zmq
from msgspec.structs import replace

from tests.waiting import wait_for_end
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope
from warpcore.bus.events import EventHub
from warpcore.bus.messages import (
    Change,
    Changes,
    Error,
    ExportCollected,
    ExportJob,
    Exports,
    GetChanges,
    GetExport,
    GetExports,
    GetProcessing,
    GetSnapshot,
    Movie,
    MovieEvent,
    Ok,
    ProcessingStatus,
    Snapshot,
)
from warpcore.bus.router import Router
from warpcore.bus.schema import Message, read_message
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.formats.star_files import OpticsGroup, ParticleCtf, write_particles
from warpcore.services.session.settings import Settings, patch_settings

Wait = Callable[..., None]
Start = Callable[..., Callable[[], None]]


class Peer:
    """State with a change log behind a real ROUTER and hub, in a thread; events can be lost on the way."""

    def __init__(self, endpoints: Endpoints, movies: list[Movie], **patch: Any) -> None:
        self.movies = {movie.id: movie for movie in movies}
        self.settings = patch_settings(Settings(), patch)
        self.log: list[Change] = []
        self.jobs: dict[str, ExportJob] = {}
        self.gone: set[str] = set()
        self.collected: list[tuple[str, str]] = []
        self.refusals = 0
        """So many reports of a collected job cannot be stored."""
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._control = Router(endpoints.bound(endpoints.control_port), "control")
        self._hub = EventHub(endpoints.bound(endpoints.events_in_port), endpoints.bound(endpoints.events_out_port))
        self._outbox: list[Envelope] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def tell(self, movie: Movie, *, lose: bool = False) -> None:
        """A movie's new state."""
        with self._lock:
            self.movies[movie.id] = movie
        self.publish("movie.status", MovieEvent(movie), lose=lose)

    def publish(self, topic: str, body: Message, *, lose: bool = False) -> None:
        """A durable event."""
        with self._lock:
            self.log.append(Change(len(self.log) + 1, topic, body.to_body()))
            if not lose:
                self._outbox.append(Envelope(topic, body.to_body(), "scheduler", seq=len(self.log)))

    def _run(self) -> None:
        poller = zmq.Poller()
        for one in (self._control.socket, *self._hub.sockets):
            poller.register(one, zmq.POLLIN)
        while not self._stop.is_set():
            poller.poll(10)
            with self._lock:
                for envelope in self._outbox:
                    self._hub.publish(envelope)
                self._outbox.clear()
                for identity, envelope in self._control.receive():
                    answer = self._answer(read_message(envelope.type, envelope.body))
                    self._control.send(identity, Envelope(answer.TYPE, answer.to_body(), "s", reply_to=envelope.id))
            self._hub.forward()

    def _answer(self, request: Message) -> Message:
        head = len(self.log)
        if isinstance(request, GetSnapshot):
            return Snapshot(head, "e", list(self.movies.values()), None, self.settings.to_dict(), 1, False)
        if isinstance(request, GetChanges):
            return Changes(self.log[request.since :], head, "e")
        if isinstance(request, GetProcessing):
            return ProcessingStatus(True, {}, 0, 0, None, 0.0, 0, [], head, "/data/session", "/data/processing")
        if isinstance(request, GetExports):
            return Exports([job for job in self.jobs.values() if job.state == request.state])
        if isinstance(request, GetExport):
            job = self.jobs[request.job]
            more = request.after + 1 < len(job.files)
            return replace(job, files=job.files[request.after :][:1], next_after=request.after + 1 if more else None)
        if isinstance(request, ExportCollected) and self.refusals:
            self.refusals -= 1
            return Error(ErrorCode.INTERNAL, "disk full")
        if isinstance(request, ExportCollected) and request.job in self.gone:
            self.gone.remove(request.job)
            return Error(ErrorCode.NOT_FOUND, f"no export job is called {request.job!r}")
        if isinstance(request, ExportCollected):
            self.collected.append((request.job, request.file))
            self.jobs[request.job] = replace(self.jobs[request.job], state="done")
            return Ok()
        return Error("unknown_type", request.TYPE)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._control.close()
        self._hub.close()


def items(folder: Path, name: str = "processed_items.json") -> list[dict[str, Any]] | None:
    path = folder / name
    return json.loads(path.read_text()) if path.is_file() else None


def micrographs(folder: Path) -> list[str]:
    path = folder / "micrographs_ctf.star"
    if not path.is_file():
        return []
    table = starfile.read(path, always_dict=True)["micrographs"]
    return list(table["rlnMicrographName"]) if len(table) else []


def particles(folder: Path, number: int, count: int, box: int = 64) -> str:
    (folder / "particles/grid").mkdir(parents=True, exist_ok=True)
    name = f"particles/grid/m{number}_picks.star"
    optics = OpticsGroup(0.5, 1.0, 300.0, 2.7, 0.07, image_pixel_size_angstrom=2.0, image_size_px=box)
    x = np.arange(count) + 0.5
    ctf = ParticleCtf(2.7e4, 2.6e4, 30.0)
    write_particles(folder / name, optics, f"average/grid/m{number}.mrc", name.replace(".star", ".mrcs"), x, x, x, ctf)
    return name


def ended(run: Callable[..., object], *arguments: object, **options: object) -> Callable[[], None]:
    """Runs a service in a thread; what is returned ends it."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=arguments, kwargs={**options, "stop": stop})
    thread.start()

    def end() -> None:
        stop.set()
        wait_for_end(thread, 15)

    return end
