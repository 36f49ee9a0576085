"""A reader of server-sent events that comes again by itself with its last id, as a browser does."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

COME_AGAIN_S = 0.05


@dataclass(frozen=True)
class Sent:
    """One event as it came."""

    topic: str
    data: dict[str, Any]
    id: str
    at: float

    @property
    def seq(self) -> int:
        """Its change number, 0 for a passing notice."""
        return int(self.id.rpartition(":")[2]) if self.id else 0


def parsed(lines: Iterable[str]) -> Iterator[Sent]:
    """The events in lines of text; comments are left out."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield Sent(fields["event"], json.loads(fields["data"]), fields.get("id", ""), time.monotonic())
            fields = {}


class EventReader:
    """Reads `url` in a thread. `sent` is all that came, `connections` how often it has connected."""

    def __init__(self, url: str, last_id: str = "") -> None:
        self.sent: list[Sent] = []
        self.connections = 0
        self.last_id = last_id
        self._url = url
        self._stop = threading.Event()
        self._response: httpx.Response | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def topics(self, prefix: str = "") -> list[str]:
        """The topics of what came."""
        return [one.topic for one in self.sent if one.topic.startswith(prefix)]

    def seqs(self) -> list[int]:
        """The numbers of the changes that came, without those of `hello`."""
        return [one.seq for one in self.sent if one.seq and one.topic != "hello"]

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        while self._thread.is_alive():
            if self._response is not None:
                # Only this wakes a thread that waits for bytes.
                with suppress(OSError):
                    self._response.extensions["network_stream"].get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            self._thread.join(0.05)

    def __enter__(self) -> EventReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        with httpx.Client(timeout=httpx.Timeout(5, read=30)) as client:
            while not self._stop.wait(COME_AGAIN_S):
                headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
                try:
                    with client.stream("GET", self._url, headers=headers) as response:
                        self._response = response
                        self.connections += 1
                        self._read(response)
                except httpx.TransportError:
                    continue

    def _read(self, response: httpx.Response) -> None:
        for one in parsed(response.iter_lines()):
            self.sent.append(one)
            self.last_id = one.id or self.last_id
            if self._stop.is_set():
                return
