"""An event hub that runs in a thread."""

from __future__ import annotations

import threading

import zmq

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope
from warpcore.bus.events import EventHub
from warpcore.bus.guard import Guard


class RunningHub:
    """A hub forwarding in a thread, as in the scheduler's loop."""

    def __init__(self, endpoints: Endpoints, guard: Guard | None = None) -> None:
        bound = (endpoints.bound(endpoints.events_in_port), endpoints.bound(endpoints.events_out_port))
        self.hub = EventHub(*bound, guard)
        self._to_publish: list[Envelope] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def publish(self, envelope: Envelope) -> None:
        self._to_publish.append(envelope)

    def _run(self) -> None:
        poller = zmq.Poller()
        self.hub.register(poller)
        while not self._stop.is_set():
            poller.poll(10)
            self.hub.forward()
            while self._to_publish:
                self.hub.publish(self._to_publish.pop(0))

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self.hub.close()
