"""A peer that keeps files as the scheduler does, on real sockets, and a discoverer in a thread."""

from __future__ import annotations

import threading
from pathlib import Path

import zmq

from tests.waiting import wait_for_end
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.events import EventHub, Subscriber
from warpcore.bus.messages import (
    Error,
    FilesRegistered,
    FoundFile,
    GetKnownFiles,
    GetProcessing,
    KnownFiles,
    ProcessingStatus,
    RegisterFiles,
    ServiceEvent,
    SettingsEvent,
)
from warpcore.bus.replies import ReplyCache
from warpcore.bus.router import Router
from warpcore.bus.schema import Message, read_message
from warpcore.services.discoverer.service import run_discoverer
from warpcore.services.session.path_map import PathMap
from warpcore.services.session.settings import Settings, patch_settings


class Registry:
    """What the scheduler keeps of files and settings; outlives the sockets that serve it."""

    def __init__(self, data: Path, processing: Path) -> None:
        self.data, self.processing = data, processing
        self.files: dict[str, FoundFile] = {}
        self.batches: list[list[str]] = []
        self.replaced: list[str] = []
        self.added: list[str] = []
        self.settings = Settings()
        self.revision = 1
        self.refuse: set[str] = set()
        self.warnings: list[str] = []
        self.forgotten = 0

    def set(self, **values: object) -> None:
        """Change settings of the `import` section."""
        self.settings = patch_settings(self.settings, {"import": values})
        self.revision += 1

    def forget(self, path: str) -> None:
        """A person has the movie of this file forgotten."""
        del self.files[path]
        self.forgotten += 1

    def answer(self, request: Message) -> Message:
        if isinstance(request, RegisterFiles):
            self.warnings = request.warnings
            return self._register(request.files) if request.files else FilesRegistered(0, 0, 0)
        if isinstance(request, GetKnownFiles):
            known = [*self.files.values()]
            end = request.after + request.limit
            after = end if end < len(known) else None
            return KnownFiles(known[request.after : end], after, self.settings.to_dict(), self.revision, self.forgotten)
        if isinstance(request, GetProcessing):
            return ProcessingStatus(True, {}, 0, 0, None, 60.0, 0, [], 0, str(self.data), str(self.processing))
        return Error("unknown_type", request.TYPE)

    def _register(self, files: list[FoundFile]) -> Message:
        if any(file.path in self.refuse for file in files):
            return Error("invalid", "not that one")
        self.batches.append([file.path for file in files])
        before = len(self.added), len(self.replaced)
        for file in files:
            if file.path not in self.files:
                self.added.append(file.path)
            elif self.files[file.path] != file:
                self.replaced.append(file.path)
            self.files[file.path] = file
        added, replaced = len(self.added) - before[0], len(self.replaced) - before[1]
        return FilesRegistered(added, len(files) - added - replaced, replaced)


class Peer:
    """Serves a registry on real sockets, as often as it is started; optionally swallows answers."""

    def __init__(self, endpoints: Endpoints, registry: Registry) -> None:
        self.registry = registry
        self.swallow = 0
        self.registrations: list[str] = []
        """Ids of the requests to register files."""
        self.events: list[Envelope] = []
        self._to_publish: list[Envelope] = []
        self._stop = threading.Event()
        self._replies = ReplyCache()
        self.control = Router(endpoints.bound(endpoints.control_port), "control")
        self.hub = EventHub(endpoints.bound(endpoints.events_in_port), endpoints.bound(endpoints.events_out_port))
        self._tap = Subscriber(endpoints.events_out)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def publish(self, topic: str, body: Message) -> None:
        self._to_publish.append(Envelope(topic, body.to_body(), "scheduler", seq=1))

    def set(self, **values: object) -> None:
        """Change settings of the `import` section, and publish that."""
        self.registry.set(**values)
        self.publish("settings.changed", SettingsEvent(self.registry.settings.to_dict(), self.registry.revision, []))

    def beat(self, epoch: str) -> None:
        self.publish("service.heartbeat", ServiceEvent("scheduler", "here", 1, head=1, epoch=epoch))

    def told(self, topic: str) -> list[str]:
        """The paths of the file events of this topic, in order."""
        return [envelope.body["path"] for envelope in self.events if envelope.type == topic]

    def details(self, topic: str) -> list[str]:
        return [envelope.body["detail"] for envelope in self.events if envelope.type == topic]

    def _run(self) -> None:
        poller = zmq.Poller()
        for one in (self.control.socket, *self.hub.sockets, self._tap.socket):
            poller.register(one, zmq.POLLIN)
        while not self._stop.is_set():
            poller.poll(10)
            for identity, envelope in self.control.receive():
                self._respond(identity, envelope)
            self.hub.forward()
            while self._to_publish:
                self.hub.publish(self._to_publish.pop(0))
            self.events += self._tap.drain()

    def _respond(self, identity: bytes, envelope: Envelope) -> None:
        if envelope.type == "files.register":
            self.registrations.append(envelope.id)
        frame = self._replies.get(identity, envelope.id)
        if frame is None:
            answer = self.registry.answer(read_message(envelope.type, envelope.body))
            frame = encode(Envelope(answer.TYPE, answer.to_body(), "scheduler", reply_to=envelope.id))
            self._replies.put(identity, envelope.id, frame)
        if self.swallow and envelope.type == "files.register":
            self.swallow -= 1
            return
        self.control.send_frame(identity, frame)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.control.close()
        self.hub.close()
        self._tap.close()


class Running:
    """A discoverer in a thread."""

    def __init__(self, endpoints: Endpoints, data: Path, **options: float | bool | PathMap) -> None:
        self._stop = threading.Event()
        self.error: BaseException | None = None
        # A file that a busy machine has not copied whole yet is not given up.
        settings = {"watch": False, "scan_interval_s": 0.05, "incubation_s": 0.1, "give_up_s": 60.0, **options}
        self._thread = threading.Thread(target=self._run, args=(endpoints, data, settings))
        self._thread.start()

    def _run(self, endpoints: Endpoints, data: Path, settings: dict[str, object]) -> None:
        try:
            run_discoverer(endpoints, data, stop=self._stop, **settings)  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001  # shown by close()
            self.error = error

    def close(self) -> None:
        self._stop.set()
        wait_for_end(self._thread)
        assert self.error is None

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
