"""Asks the scheduler for its state in a thread, again and again, so that a slow answer never stops the display."""

from __future__ import annotations

import threading

from warpcore.bus.client import NoAnswerError, RefusedError, RequestClient
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.keys import ClientKey
from warpcore.cli.overview import Overview, look

INTERVAL_S = 0.5
PATIENCE_S = 2.0


class Watcher:
    """`latest` is the newest overview, None before the first. `answers`: the last request was answered."""

    def __init__(self, endpoints: Endpoints, key: ClientKey | None = None) -> None:
        self._endpoints = endpoints
        self._key = key
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)
        self.latest: Overview | None = None
        self.answers = False

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE_S + INTERVAL_S)

    def _run(self) -> None:
        endpoints = self._endpoints
        with RequestClient(endpoints.control, "up", timeout_s=PATIENCE_S, attempts=1, key=self._key) as asking:
            while not self._stop.is_set():
                try:
                    self.latest = look(asking)
                    self.answers = True
                except (NoAnswerError, RefusedError):
                    self.answers = False
                self._stop.wait(INTERVAL_S)
