"""What all tests share: conditions with a deadline, free ports, the real data where it is present."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests import waiting
from tests.ports import free_ports_in_a_row, free_ports_of_loopback
from tests.running_commands import Done, commands
from warpcore.services.worker.caches import cache_directory

ROOT = Path(__file__).resolve().parents[1]

# Test processes share compiled kernels with each other, with workers that they start and with later runs: two thirds of
# the time of a test that computes go into compiling. JAX reads this when it is imported.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_directory()))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.05")

# An example may stand still for a while where other tests keep the machine busy.
hypothesis.settings.register_profile("busy machine", deadline=None)
hypothesis.settings.load_profile("busy machine")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores, since tests wait for processes that they start; more only push each other out."""
    return (os.cpu_count() or 1) + 2


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: to look through it for garbage took a third of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session", autouse=True)
def own_sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The sessions of these tests tell of themselves in a folder of the tests' own, and no others are found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
        yield


@pytest.fixture(scope="session")
def wait_until() -> Callable[..., None]:
    """`wait_until(condition, seconds=10, what="…")` polls until the condition holds; at the deadline the test fails."""
    return waiting.wait_until


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """`free_ports(n)`: TCP ports on the loopback that nobody uses now, and no other process of tests gets."""
    return free_ports_of_loopback


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """`command(*arguments)` runs `warpcore …`; not for services, which take over signals and logging."""
    return commands(monkeypatch, capsys)


@pytest.fixture
def free_ports_block() -> int:
    """The first of twenty ports in a row that nobody uses now."""
    return free_ports_in_a_row(20)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the project; tests that need it are skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data not present at {folder}")
    return folder
