"""Many workers' sides of the wire in one process, which compute nothing, and how soon they are answered.

`python -m tests.benchmarks.flow_peers HOST:PORT WORKERS SECONDS PROGRESS_HZ TASK_S [KEY]` prints a line after half of
the time, and a line of JSON with what was seen since at the end. All workers connect under the key of the file KEY.
With `PROGRESS_HZ` 0 a task is four words of progress, at once, and its report; otherwise each worker says so many a
second, and a task takes `TASK_S` at random around it.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import msgpack
import zmq

from tests.services.scheduler_world import RESULTS
from warpcore.bus import messages as wire
from warpcore.bus.envelope import Envelope, encode, new_id
from warpcore.bus.keys import ClientKey
from warpcore.bus.schema import Message
from warpcore.services.access.keys import read_key
from warpcore.services.worker.seeing import sees

WORDS_OF_PROGRESS = 4


class Peer:
    """One worker with room for one task. `cycles` counts tasks that were acknowledged as stored."""

    def __init__(self, address: str, name: str, instant: bool, key: ClientKey | None) -> None:
        self.name = name
        self.socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.IDENTITY, name.encode())
        if key is not None:
            key.put_on(self.socket)
        self.socket.connect(address)
        self.task: dict[str, Any] | None = None
        self.free_since: float | None = None
        self.waits_s: list[float] = []
        self.cycles = 0
        self.said = 0
        self._instant = instant
        self._asked: dict[str, str] = {}
        self.send(wire.RegisterWorker(name, "1", "host", 1, "cpu", 0, {}))

    def send(self, message: Message) -> None:
        envelope = Envelope(message.TYPE, message.to_body(), self.name, id=new_id())
        if message.ANSWERS:
            self._asked[envelope.id] = message.TYPE
        self.socket.send(encode(envelope), zmq.NOBLOCK)

    def receive(self) -> None:
        """Take what has come; an instant peer does each task at once."""
        while True:
            try:
                raw = msgpack.unpackb(self.socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                return
            self._hear(raw, self._asked.pop(raw["reply_to"], ""))

    def _hear(self, raw: dict[str, Any], answers: str) -> None:
        if raw["type"] == "task.assign":
            self.task = raw["body"]
            if self.free_since is not None:
                self.waits_s.append(time.monotonic() - self.free_since)
            if self._instant:
                for word in range(WORDS_OF_PROGRESS):
                    self.progress(word / WORDS_OF_PROGRESS)
                self.finish()
        elif raw["type"] == wire.LookAtFolders.TYPE:
            self.send(sees(self.name, wire.LookAtFolders.from_body(raw["body"])))
        elif answers == wire.RegisterWorker.TYPE:
            self.send(wire.PullTasks(self.name, 1))
        elif answers == wire.TaskFinished.TYPE and raw["type"] == "ok":
            self.cycles += 1

    def progress(self, fraction: float) -> None:
        if self.task is not None:
            self.said += 1
            self.send(wire.TaskProgress(self.name, self.task["lease"], self.task["name"], "motion", fraction))

    def finish(self) -> None:
        if self.task is not None:
            task, self.task = self.task, None
            results = {step: RESULTS[step] for step in task["run"]}
            self.free_since = time.monotonic()
            self.send(wire.TaskFinished(self.name, task["lease"], task["run"], results, {}))


def run(
    address: str, workers: int, seconds: float, progress_hz: float, task_s: float, key: ClientKey | None = None
) -> dict[str, Any]:
    """Let the workers work; what they saw in the second half of the time."""
    peers = [Peer(address, f"w/{number}", instant=progress_hz == 0, key=key) for number in range(workers)]
    poller = zmq.Poller()
    for peer in peers:
        poller.register(peer.socket, zmq.POLLIN)
    by_socket = {peer.socket: peer for peer in peers}
    began = time.monotonic()
    next_word = 0.0
    turn = 0
    half: dict[str, Any] | None = None
    while (now := time.monotonic()) < began + seconds:
        for socket, _ in poller.poll(1):
            by_socket[socket].receive()
        if progress_hz:
            # Each worker in its turn, evenly over the second.
            while next_word <= now - began:
                peer = peers[turn % workers]
                peer.progress(random.random())
                if random.random() < 1 / (task_s * progress_hz):
                    peer.finish()
                turn += 1
                next_word += 1 / (workers * progress_hz)
        if half is None and now > began + seconds / 2:
            half = {"at": now, "cycles": sum(peer.cycles for peer in peers), "said": sum(peer.said for peer in peers)}
            for peer in peers:
                peer.waits_s.clear()
            print("half", flush=True)
    assert half is not None
    took_s = time.monotonic() - half["at"]
    waits = sorted(wait for peer in peers for wait in peer.waits_s)
    return {
        "cycles_per_s": (sum(peer.cycles for peer in peers) - half["cycles"]) / took_s,
        "progress_per_s": (sum(peer.said for peer in peers) - half["said"]) / took_s,
        "assignments": len(waits),
        "median_ms": 1000 * statistics.median(waits),
        "p99_ms": 1000 * waits[int(0.99 * len(waits))],
        "longest_ms": 1000 * waits[-1],
    }


if __name__ == "__main__":
    where, count, *numbers = sys.argv[1:6]
    key_file = Path(sys.argv[6]) if len(sys.argv) > 6 else None
    print(json.dumps(run(f"tcp://{where}", int(count), *map(float, numbers), key=key_file and read_key(key_file))))
