"""Records what real services say to each other: `python -m tests.bus.record_wire FILE`.

A scheduler without keys, a discoverer, a tracker and a worker process a simulated movie and fail with a damaged one,
through proxies that write frames down. A client asks everything that needs no arguments. Of each type the first frame
to each side is kept, and each answer, in the order in which they were sent, as the maps that the frames hold. That
takes a minute. `fixtures/wire_1.jsonl` is what wire version 1 said when it was recorded; a new version gets a file of
its own, and no recording is changed.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import msgpack
import zmq

from tests.ports import free_ports_of_loopback
from tests.waiting import wait_until
from warpcore.bus import messages as wire
from warpcore.bus.client import RefusedError, RequestClient
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.schema import REGISTRY, Message, Port

PATIENCE_S = 300.0


class Proxy:
    """Stands between peers and a ROUTER, under their own identities, and hands frames on to `note(to, raw map)`."""

    def __init__(self, listen: int, target: int, note: Callable[[str, dict[str, Any]], None], to: str) -> None:
        self._target, self._note, self._to = target, note, to
        self._front = zmq.Context.instance().socket(zmq.ROUTER)
        self._front.linger = 0
        self._front.bind(f"tcp://127.0.0.1:{listen}")
        self._back: dict[bytes, zmq.Socket[bytes]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            zmq.select([self._front, *self._back.values()], [], [], 0.1)
            for identity, frame, to in list(self._arrived()):
                self._note(to, msgpack.unpackb(frame))
                if to == "peer":
                    self._front.send_multipart([identity, frame])
                else:
                    self._dealer(identity).send(frame)
        for one in (self._front, *self._back.values()):
            one.close(linger=0)

    def _arrived(self) -> Iterator[tuple[bytes, bytes, str]]:
        with suppress(zmq.Again):
            identity, frame = self._front.recv_multipart(zmq.NOBLOCK)
            yield identity, frame, self._to
        for identity, back in self._back.items():
            with suppress(zmq.Again):
                yield identity, back.recv(zmq.NOBLOCK), "peer"

    def _dealer(self, identity: bytes) -> zmq.Socket[bytes]:
        if identity not in self._back:
            dealer = self._back[identity] = zmq.Context.instance().socket(zmq.DEALER)
            dealer.setsockopt(zmq.IDENTITY, identity)
            dealer.connect(f"tcp://127.0.0.1:{self._target}")
        return self._back[identity]


class Notes:
    """The first frame of each type to each side, and the answers to those that ask."""

    def __init__(self) -> None:
        self.kept: list[dict[str, Any]] = []
        self._seen: set[tuple[str, str]] = set()
        self._asked: set[str] = set()
        self._lock = threading.Lock()

    def note(self, to: str, raw: dict[str, Any]) -> None:
        """`to` is the port of the scheduler (worker, control), or `peer`, or `subscriber`."""
        with self._lock:
            if (to, raw["type"]) in self._seen and not (to == "peer" and raw["reply_to"] in self._asked):
                return
            self._seen.add((to, raw["type"]))
            if to != "peer":
                self._asked.add(raw["id"])
            self._asked.discard(raw["reply_to"])
            self.kept.append({"to": to, "frame": raw})


@contextmanager
def subscribed(port: int, notes: Notes) -> Iterator[None]:
    """Events are noted within."""
    stop = threading.Event()

    def run() -> None:
        with zmq.Context.instance().socket(zmq.SUB) as events:
            events.subscribe(b"")
            events.connect(f"tcp://127.0.0.1:{port}")
            while not stop.is_set():
                if events.poll(100):
                    notes.note("subscriber", msgpack.unpackb(events.recv_multipart()[1]))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def service(*arguments: object) -> Iterator[None]:
    """A service of ours as a process."""
    process = subprocess.Popen([sys.executable, "-m", "warpcore.cli.main", *map(str, arguments)])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def questions() -> list[Message]:
    """Requests that change little: all that can be asked without arguments, and some with."""
    movie = "movie_0001"
    with_arguments: list[Message] = [
        wire.SelectItem(movie, "include"),  # whatever the filter says, it is exported then
        wire.StartExport("micrographs"),
        wire.GetItem(movie),
        wire.GetMovies([1]),
        wire.GetChanges(0),
        wire.GetItemPicks(movie),
        wire.SelectItems("auto", names=[movie]),
        wire.PatchSettings({"ctf": {"range_max": 5.0}}),
        wire.SaveProfile("usual"),
        wire.GetProfile("usual"),
        wire.GetWorkerLogs("gpu1"),
    ]
    bare = []
    for _, kind in sorted(REGISTRY.items()):
        if kind.PORT is Port.CONTROL and kind.ANSWERS:
            with suppress(TypeError):
                bare.append(kind())
    return [*with_arguments, *(one for one in bare if not isinstance(one, wire.PutSettings))]


def record(folder: Path) -> list[dict[str, Any]]:
    """The frames of a short session in this folder."""
    data, processing = folder / "data", folder / "processing"
    simulate = [sys.executable, "-m", "warpcore.cli.main", "simulate", str(data)]
    subprocess.run(
        [*simulate, "--movies", "1", "--set", "width=512", "--set", "height=512", "--set", "frames=8"], check=True
    )
    (data / "zz_damaged.mrc").write_bytes(b"no movie")
    *real, workers, control = free_ports_of_loopback(6)
    notes = Notes()
    given = ("--controller-port", real[0], "--control-port", real[1], "--events-in-port", real[2])
    given = (*given, "--events-out-port", real[3])
    through = ("--control-port", control, "--events-in-port", real[2], "--events-out-port", real[3])
    with ExitStack() as stack:
        stack.enter_context(service("scheduler", "--data", data, "--processing", processing, *given))
        stack.enter_context(subscribed(real[3], notes))
        for listen, target, to in ((workers, real[0], "worker"), (control, real[1], "control")):
            stack.callback(Proxy(listen, target, notes.note, to).close)
        stack.enter_context(service("discoverer", "--data", data, "--give-up", "1", *through))
        stack.enter_context(service("tracker", "--processing", processing, *through))
        asking = stack.enter_context(RequestClient(Endpoints(control_port=control).control, "cli"))
        with service("worker", "--device", "cpu", "--name", "gpu1", "--controller-port", workers):
            wait_until(lambda: _ended(asking) >= 2, PATIENCE_S, "an end of two movies")
            for question in questions():
                with suppress(RefusedError):
                    asking.request(question)
    return notes.kept


def _ended(asking: RequestClient) -> int:
    counts = asking.request(wire.GetProcessing()).counts  # type: ignore[attr-defined]
    return int(counts["processed"] + counts["failed"] + counts["filtered_out"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    where = parser.parse_args().file
    with tempfile.TemporaryDirectory() as temporary:
        kept = record(Path(temporary))
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in kept)
    where.write_text(lines.replace(temporary, "/session").replace(json.dumps(socket.gethostname()), '"host"'))
