"""What tests of the whole discoverer share: a data directory, a peer for the scheduler, a small movie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.services.discoverer.peer import Peer, Registry
from warpcore.bus.endpoints import Endpoints


@pytest.fixture
def endpoints(free_ports: Callable[[int], list[int]]) -> Endpoints:
    control, events_in, events_out = free_ports(3)
    return Endpoints(control_port=control, events_in_port=events_in, events_out_port=events_out)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def registry(tmp_path: Path, data: Path) -> Registry:
    return Registry(data, tmp_path / "processing")


@pytest.fixture
def peer(endpoints: Endpoints, registry: Registry) -> Iterator[Peer]:
    running = Peer(endpoints, registry)
    yield running
    running.close()


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("movie") / "movie.tif"
    frames = np.arange(3 * 32 * 32, dtype=np.uint8).reshape(3, 32, 32)
    tifffile.imwrite(path, frames, photometric="minisblack", metadata=None)
    return path
