"""A real scheduler over sockets, files and a database, and the worker's side of the wire."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tests.services.reports import whole
from warpcore.bus import messages as wire
from warpcore.bus.client import RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.events import EventHub
from warpcore.bus.keys import ClientKey
from warpcore.bus.router import Router
from warpcore.bus.schema import Message, read_message
from warpcore.services.scheduler.shell.service import Service, run_scheduler
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.session.declared import staged_name
from warpcore.services.session.placing import STAGING
from warpcore.services.steps.chain import CHAIN
from warpcore.services.worker.seeing import sees

WaitUntil = Callable[..., None]
_RUN = """
import sys, threading
from pathlib import Path
from warpcore.bus.endpoints import Endpoints
from warpcore.services.scheduler.shell.service import run_scheduler
endpoints = Endpoints("127.0.0.1", *map(int, sys.argv[3:7]))
access = Path(sys.argv[7]) if len(sys.argv) > 7 else None
run_scheduler(endpoints, Path(sys.argv[1]), Path(sys.argv[2]), access=access, stop=threading.Event())
"""


class Site:
    """A data and a processing directory, and where the scheduler of both is.

    Movies of these tests are names without files; the data directory holds something, as that of a session would.
    """

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.data = folder / "data"
        self.processing = folder / "processing"
        self.data.mkdir(exist_ok=True, parents=True)
        self.processing.mkdir(exist_ok=True)
        (self.data / "notes.txt").touch()
        self.endpoints = Endpoints("127.0.0.1", *ports)
        self.command = [sys.executable, "-c", _RUN, str(self.data), str(self.processing), *map(str, ports)]
        """Runs the scheduler in a process of its own; an access directory may be added."""

    @contextmanager
    def running(self, key: ClientKey | None = None, **options: Any) -> Iterator[RequestClient]:
        """The scheduler in a thread, and a client of it with this key. What ends it is raised here."""
        stop = threading.Event()
        ended: list[BaseException] = []

        def run() -> None:
            try:
                run_scheduler(self.endpoints, self.data, self.processing, stop=stop, **options)
            except BaseException as error:  # noqa: BLE001 - raised again below
                ended.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        client = RequestClient(self.endpoints.control, "test", timeout_s=3.0, key=key)
        try:
            yield client
        finally:
            client.close()
            stop.set()
            thread.join(60)
            assert not thread.is_alive()
            if ended:
                raise ended[0]


@contextmanager
def process(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """The scheduler as a process, killed at the end of the block."""
    with (site.processing.parent / "scheduler.log").open("ab") as log:
        scheduler = subprocess.Popen(site.command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield scheduler
    finally:
        scheduler.kill()
        scheduler.wait()


class WorkerSide:
    """The worker's side of the wire, without any computing; its outputs are the first file of each step, empty.

    It shows what it sees whenever it is asked, as `got` takes the messages in.
    """

    def __init__(self, site: Site, name: str, instance: str = "1", key: ClientKey | None = None) -> None:
        self.processing = site.processing
        self.name = name
        self.instance = instance
        self.dealer = Dealer(site.endpoints.workers, f"{name}#{instance}".encode(), name, key=key)
        self.inbox: list[Message] = []
        self.reported: set[int] = set()

    def register(self, leases: list[int] | None = None) -> None:
        self.dealer.send(wire.RegisterWorker(self.name, self.instance, "host", 1, "cpu", 0, {}, leases or []))

    def got(self, kind: type[Message]) -> list[Any]:
        for envelope in self.dealer.receive():
            message = read_message(envelope.type, envelope.body)
            self.inbox.append(message)
            if isinstance(message, wire.LookAtFolders):
                self.dealer.send(sees(self.name, message))
        return [message for message in self.inbox if isinstance(message, kind)]

    def take(self, wait_until: WaitUntil) -> wire.AssignTask:
        """Register, ask for one task, and wait for it."""
        self.register()
        self.dealer.send(wire.PullTasks(self.name, 1))
        wait_until(lambda: self.got(wire.AssignTask), what="assignment")
        task: wire.AssignTask = self.got(wire.AssignTask)[0]
        return task

    def finish(self, task: wire.AssignTask) -> None:
        results = {step: {"resolution_angstrom": 4.0} for step in task.run}
        self.report(task, results, {step: {CHAIN[step].outputs[0].pattern: b""} for step in task.run})

    def report(self, task: wire.AssignTask, results: dict[str, Any], outputs: dict[str, dict[str, bytes]]) -> None:
        """Write these outputs, and report them."""
        self.reported.add(task.lease)
        stage(self.processing, task.lease, outputs)
        sizes: dict[str, dict[str, int | None]] = {
            step: {pattern: len(content) for pattern, content in files.items()} for step, files in outputs.items()
        }
        self.dealer.send(wire.TaskFinished(self.name, task.lease, task.run, whole(results), sizes))


def stage(processing: Path, lease: int, outputs: dict[str, dict[str, bytes]]) -> None:
    """Write outputs, by step and pattern, as a worker does under a lease."""
    folder = processing / STAGING / str(lease)
    for step, files in outputs.items():
        for pattern, content in files.items():
            folder.mkdir(parents=True, exist_ok=True)
            (folder / staged_name(step, pattern)).write_bytes(content)


def files(*paths: str, size: int = 100) -> wire.RegisterFiles:
    return wire.RegisterFiles([wire.FoundFile(path, size, 5) for path in paths])


def ask(client: RequestClient, message: Message) -> Any:
    return client.request(message)


def status(client: RequestClient) -> wire.ProcessingStatus:
    answer = ask(client, wire.GetProcessing())
    assert isinstance(answer, wire.ProcessingStatus)
    return answer


@contextmanager
def opened(site: Site) -> Iterator[tuple[Session, RequestClient]]:
    """A running service whose state the test can reach."""
    ports = site.endpoints
    stop = threading.Event()
    with (
        Router(ports.workers, "workers") as workers,
        Router(ports.control, "control") as control,
        EventHub(ports.events_in, ports.events_out) as hub,
    ):
        sessions: list[Session] = []

        def run() -> None:
            # SQLite wants its database used by the thread that opened it.
            with closing(Session(site.data, site.processing)) as session:
                sessions.append(session)
                Service(session, workers, control, hub).run(stop)

        thread = threading.Thread(target=run)
        thread.start()
        client = RequestClient(ports.control, "test", timeout_s=3.0)
        try:
            ask(client, wire.GetHealth())
            yield sessions[0], client
        finally:
            stop.set()
            thread.join(60)
            client.close()
