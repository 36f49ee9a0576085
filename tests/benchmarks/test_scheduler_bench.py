"""What 100 000 movies cost the scheduler: `make bench` prints the table."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.services.reports import made, whole
from tests.services.scheduler_site import Site, ask, process
from warpcore.bus import messages as wire
from warpcore.bus.client import RequestClient
from warpcore.bus.limits import MOST_CHOSEN
from warpcore.bus.portions import portions
from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.scheduler.core.effects import Effect, Reply, Send
from warpcore.services.scheduler.core.invariants import validate
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.stimuli import (
    ChangeSettings,
    FromControl,
    FromWorker,
    OutputsPlaced,
    Started,
    Stimulus,
)
from warpcore.services.scheduler.shell.disk import recorded_outputs
from warpcore.services.scheduler.shell.lock import state_file
from warpcore.services.scheduler.shell.session import garbage_left_alone, garbage_looked_for_once
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.settings import patch_settings

MOVIES = 100_000
BATCH = 2000
RESULTS: dict[str, Any] = whole(
    {
        "motion": {"skipped": False, "mean_frame_movement_angstrom": 1.2, "grid": [5, 5, 40], "local_grid": [5, 5, 4]},
        "ctf": {"defocus_um": 2.7, "defocus_delta_um": 0.1, "resolution_angstrom": 4.0, "failure": None},
        "export": {"average": "average/x.mrc", "thumbnail": "thumbnails/x.png", "odd": None, "even": None},
    }
)


def recorded(number: int) -> wire.FoundFile:
    """A movie with header and metadata, of one of nine holes around each place of the stage."""
    shot, square = number % 9, number // 200
    told = wire.Acquisition(
        **{"source": f"grid/m{number:06d}.xml", "source_mtime_ns": number, "kind": "epu", "gain_reference": "gain.mrc"},
        **{"voltage_kv": 300.0, "cs_mm": 2.7, "pixel_size_angstrom": 0.83, "exposure_dose": 50.0},
        **{"beam_shift_x": shot // 3 + number % 7 / 1000, "beam_shift_y": shot % 3 + number % 11 / 1000},
        **{"stage_x_um": float(square), "stage_y_um": float(number // 9), "recorded_at": 1.7e9 + 6 * number},
        **{"square": str(square), "hole": str(number // 9), "shot": str(shot)},
    )
    header = wire.Header(frames=40, height=4092, width=5760, pixel_size_angstrom=0.83)
    return wire.FoundFile(f"grid/m{number:06d}.tif", 10**8 + number, number, header, told)


class Bench:
    """A scheduler without sockets, and a table of what took how long."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.where = {"data_directory": str(site.data), "processing_directory": str(site.processing)}
        path = state_file(site.processing, None)
        path.parent.mkdir()
        self.store = Store(path, **self.where)
        self.state = restore(self.store.load(), now=0.0, wall=0.0, **self.where)
        self.table: list[tuple[str, float, float]] = []

    @contextmanager
    def timed(self, what: str) -> Iterator[None]:
        wall, cpu = time.monotonic(), time.process_time()
        yield
        self.table.append((what, time.monotonic() - wall, time.process_time() - cpu))

    def do(self, stimulus: Stimulus) -> list[Effect]:
        effects = handle(self.state, stimulus, time.monotonic(), time.time())
        self.store.stage(effects)
        return effects

    def register(self) -> None:
        for first in range(0, MOVIES, BATCH):
            found = [recorded(number) for number in range(first, first + BATCH)]
            self.do(FromControl(wire.RegisterFiles(found)))
            self.store.commit()

    def work(self) -> None:
        waiting = self.do(FromWorker(b"w", wire.PullTasks("w", 2)))
        done = 0
        while waiting:
            sent = [effect.message for effect in waiting if isinstance(effect, Send)]
            waiting = []
            for task in sent:
                assert isinstance(task, wire.AssignTask)
                report = wire.TaskFinished("w", task.lease, task.run, RESULTS, made(*task.run))
                waiting += self.do(FromWorker(b"w", report))
                waiting += self.do(OutputsPlaced(task.lease, []))
                done += 1
                if done % 100 == 0:
                    self.store.commit()
        self.store.commit()

    def select_half(self) -> tuple[str, float]:
        """Exclude half of the movies in one change; its undo, and the longest that nothing else was answered, s."""
        undo, longest = "", 0.0
        for ids in portions(range(1, MOVIES // 2 + 1)):
            begun = time.monotonic()
            effects = self.do(FromControl(wire.SelectItems(Selection.EXCLUDE, ids, undo=undo)))
            self.store.commit()
            longest = max(longest, time.monotonic() - begun)
            (reply,) = [effect.message for effect in effects if isinstance(effect, Reply)]
            undo = reply.undo  # type: ignore[attr-defined]
        return undo, longest

    def take_back(self, undo: str) -> None:
        left = 1
        while left:
            effects = self.do(FromControl(wire.UndoSelection(undo)))
            self.store.commit()
            (reply,) = [effect.message for effect in effects if isinstance(effect, Reply)]
            left = reply.left  # type: ignore[attr-defined]

    def page_through(self) -> None:
        after: int | None = 0
        while after is not None:
            (reply,) = self.do(FromControl(wire.GetSnapshot(after, 500)))
            after = reply.message.next_after  # type: ignore[union-attr]

    def write_outputs(self) -> None:
        """Write all outputs, empty: a scheduler that starts looks whether they are there."""
        paths = [
            self.site.processing / path
            for recorded in recorded_outputs(self.state)
            for files in recorded.files.values()
            for path in files
        ]
        for folder in {path.parent for path in paths}:
            folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            path.touch()

    def restart(self) -> float:
        """Start a scheduler as a process; returns its largest memory until its first answer, MB."""
        began = time.monotonic()
        with process(self.site) as scheduler:
            client = RequestClient(self.site.endpoints.control, "bench", timeout_s=120.0)
            try:
                assert ask(client, wire.GetSummary()).total == MOVIES
            finally:
                client.close()
            wall, used = time.monotonic() - began, psutil.Process(scheduler.pid).cpu_times()
            self.table.append(("restart of a process, to its first answer", wall, used.user + used.system))
            (peak_kb,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{scheduler.pid}/status").read_text())
        return int(peak_kb) / 1000


@pytest.mark.bench
def test_a_hundred_thousand_movies(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    bench = Bench(Site(tmp_path, free_ports(4)))
    with bench.timed("register in batches of 2 000, a commit each"), garbage_looked_for_once():
        bench.register()
    with garbage_left_alone():
        pass
    bench.do(FromWorker(b"w", wire.RegisterWorker("w", "i", "host", 1, "gpu", 0, {})))
    with bench.timed("assign and finish all, a commit each 100"):
        bench.work()
    assert bench.state.counts[MovieStatus.PROCESSED] == MOVIES
    bench.do(FromControl(wire.PauseProcessing()))
    with bench.timed(f"exclude {MOVIES // 2} movies, a commit each {MOST_CHOSEN}"):
        undo, longest = bench.select_half()
    with bench.timed("take that back"):
        bench.take_back(undo)
    for section, name, value in (
        ("filter", "resolution_max", 3.0),
        ("ctf", "range_max", 5.0),
        ("ctf", "range_max", 4.0),
    ):
        with bench.timed(f"settings change: {section}.{name} = {value}"):
            bench.do(ChangeSettings(patch_settings(bench.state.settings, {section: {name: value}}), ""))
            bench.store.commit()
    with bench.timed("snapshot of all, in pages"):
        bench.page_through()
    with bench.timed("a page of items sorted by a result"):
        bench.do(FromControl(wire.GetItems(sort="-ctf.defocus_um", page=3)))
    with bench.timed("restart: load, restore, look at all"), garbage_left_alone():
        again = restore(bench.store.load(), now=0.0, wall=0.0, **bench.where)
        handle(again, Started(""), 0.0)
    validate(again)
    assert again.counts == bench.state.counts
    bench.store.close()
    bench.write_outputs()
    memory_mb = bench.restart()
    print(f"\n{MOVIES} movies: wall s, CPU s")
    for what, wall, cpu in bench.table:
        print(f"{wall:8.2f} {cpu:8.2f}  {what}")
    print(f"{memory_mb:8.0f} MB        largest memory of the process that was started")
    print(f"{longest:8.2f}           longest portion of the exclusion")
