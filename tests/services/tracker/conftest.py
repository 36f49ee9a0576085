"""A tracker, and a peer in place of the scheduler, on free ports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.services.tracker.world import Peer, Start
from tests.waiting import wait_for_end
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.messages import (
    Movie,
)
from warpcore.services.tracker.service import run_tracker


@pytest.fixture
def endpoints(free_ports: Callable[[int], list[int]]) -> Endpoints:
    control, events_in, events_out = free_ports(3)
    return Endpoints(control_port=control, events_in_port=events_in, events_out_port=events_out)


@pytest.fixture
def peers(endpoints: Endpoints) -> Iterator[Callable[..., Peer]]:
    running: list[Peer] = []

    def start(movies: list[Movie], **patch: Any) -> Peer:
        running.append(Peer(endpoints, movies, **patch))
        return running[-1]

    yield start
    for peer in running:
        peer.close()


@pytest.fixture
def tracker(endpoints: Endpoints, tmp_path: Path) -> Iterator[Start]:
    """Starts a tracker over `tmp_path`, or another name of it; what it returns ends it."""
    running: list[Callable[[], None]] = []

    def start(directory: Path = tmp_path) -> Callable[[], None]:
        stop = threading.Event()
        thread = threading.Thread(
            target=run_tracker,
            args=(endpoints, directory),
            kwargs={"debounce_s": 0.02, "max_delay_s": 0.5, "stop": stop},
        )
        thread.start()

        def end() -> None:
            stop.set()
            wait_for_end(thread, 15)

        running.append(end)
        return end

    yield start
    for end in running:
        end()
