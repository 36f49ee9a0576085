"""A night of faults: movies arrive, everything that can happen does, nothing is lost and no process grows.

`WARPCORE_SOAK_MINUTES` says how long (30 unless told otherwise), `WARPCORE_SOAK_SEED` what happens in which order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from soak_checks import check_logs, check_memory, check_movies, check_outputs, listing_agrees, report
from soak_faults import DOING
from soak_movies import SETTINGS, Microscope
from soak_plan import FAULTS, HEARTBEAT_TIMEOUT_S, Act, acts
from soak_proxy import Proxy
from soak_world import World, mount_at

MINUTES = float(os.environ.get("WARPCORE_SOAK_MINUTES", "30"))
SEED = int(os.environ.get("WARPCORE_SOAK_SEED", "0"))
DISK_MB, DISK_MB_A_MINUTE = 300, 150
"""Room for 40 movies a minute, the most that come, with their kept generations: 2.2 MB each. With 40 MB a minute the
disk was full by itself after 20 minutes of a quiet machine.
"""
PAUSE_S = 2.0
REPORT = Path(__file__).resolve().parents[2] / "build" / "soak.txt"
ASSIGNMENTS = [part for one in SETTINGS for part in ("--set", one)]
QUICK = ("--incubation", "0.3", "--give-up", "2", "--scan-interval", "1")


class Soak:
    """A session in a folder, attacked by `act`, and checked by `finish`."""

    def __init__(self, folder: Path, up: Callable[..., Any], minutes: float, seed: int, stack: ExitStack) -> None:
        self.folder, self.up, self.seed = folder, up, seed
        size = int(DISK_MB + DISK_MB_A_MINUTE * minutes)
        data, data_path, why = mount_at(folder / "data", size)
        processing, processing_path, _ = mount_at(folder / "processing", size)
        for mount in (data, processing):
            if mount is not None:
                stack.callback(mount.close)
        self.without = {fault: why for fault in ("fill disk", "unmount data") if why}
        files = data_path if data is None else data.files
        self.microscope = Microscope(files, processing_path, folder / "simulated")
        timeout = ("--heartbeat-timeout", str(HEARTBEAT_TIMEOUT_S))
        session = up(data_path, processing_path, "--workers", "1", *timeout, *QUICK, *ASSIGNMENTS)
        proxy = Proxy(int(session.ports[1]))
        stack.callback(proxy.close)
        self.world = World(session, self.microscope, proxy, data, processing, seed)
        stack.callback(self.world.close)
        self.recoveries: dict[str, list[float]] = {}
        self.microscope.start()
        self.world.recover(())
        self.begun = time.monotonic()

    def plan(self) -> Iterator[Act]:
        """What happens, without an end."""
        return acts(self.seed, self.without)

    def act(self, act: Act) -> None:
        """Do faults, let them last, end them, and wait until all goes on."""
        print(f"{time.monotonic() - self.begun:6.0f} s  {' and '.join(act.faults)}", flush=True)
        held = self.world.leased()
        with ExitStack() as stack:
            for fault in act.faults:
                stack.enter_context(DOING[fault](self.world))
            self.world.last(act.seconds)
        took = self.world.recover(held)
        for fault in act.faults:
            self.recoveries.setdefault(fault, []).append(took)
        self.world.last(PAUSE_S)

    def finish(self, wait_until: Callable[..., None]) -> None:
        """Let all be done, check it against a quiet run of the same movies, and write the report."""
        session, count = self.world.session, self.microscope.written
        minutes = (time.monotonic() - self.begun) / 60
        self.microscope.stop()
        self.world.wait(lambda: session.settled(count), 600, f"all {count} movies done")
        check_movies(session, self.microscope)
        self.world.wait(lambda: listing_agrees(session), 60, "lists that agree with the state")
        assert session.stop() == 0
        files = check_outputs(session.processing, self._quiet(count, wait_until))
        head = f"{minutes:.1f} minutes, seed {self.seed}: {count} movies, 0 lost, 0 double, {files} files byte-equal"
        lines = [head, *report(self.recoveries, self.world.memory_mb, self.without)]
        print("\n".join(lines))
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text("\n".join(lines) + "\n")
        check_memory(self.world.memory_mb)
        check_logs(session, self.world.apart_log)

    def _quiet(self, count: int, wait_until: Callable[..., None]) -> Path:
        """Process the same movies with the same settings, and nothing else; where the results are."""
        folder = self.folder / "quiet" / "mount"  # as deep as the other one: lists name movies relative to it
        folder.mkdir(parents=True)
        quiet = self.up(self.world.session.data, folder, "--workers", "2", *QUICK, *ASSIGNMENTS)
        wait_until(lambda: quiet.settled(count), 600 + 10 * count, "the quiet run")
        wait_until(lambda: listing_agrees(quiet), 60, "the lists of the quiet run")
        assert quiet.stop() == 0
        return folder


@pytest.fixture
def soak(tmp_path: Path, up: Callable[..., Any]) -> Iterator[Callable[[float, int], Soak]]:
    """`soak(minutes, seed)` starts one that has room for so many minutes."""
    with ExitStack() as stack:
        yield lambda minutes, seed: Soak(tmp_path, up, minutes, seed, stack)


def test_every_fault_has_a_way_to_do_it() -> None:
    assert set(DOING) == set(FAULTS)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_each_fault_once(soak: Callable[[float, int], Soak], wait_until: Callable[..., None]) -> None:
    one = soak(10, 0)
    for _, act in zip(set(FAULTS) - set(one.without), one.plan(), strict=False):
        one.act(act)
    one.finish(wait_until)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_night_of_faults(soak: Callable[[float, int], Soak], wait_until: Callable[..., None]) -> None:
    one = soak(MINUTES, SEED)
    plan = one.plan()
    while time.monotonic() < one.begun + 60 * MINUTES:
        one.act(next(plan))
    one.finish(wait_until)
