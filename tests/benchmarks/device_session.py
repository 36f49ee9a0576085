"""A whole session on this host's devices: seconds a movie sustained, and latency from a file that is ready to results.

`python -m tests.benchmarks.device_session MOVIE… [--copies 75] [--workers 1] [--set NAME=VALUE]`. The movies are linked
under new names until there are enough; `warpcore up` processes them. The last 50 are counted, two thirds if there are
fewer: before that kernels are compiled, and picking tries all its methods on the first movies of a session, which are
picked again once it has chosen.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

PORTS = ("--port", "5177", "--controller-port", "6071", "--control-port", "6072")
PORTS += ("--events-in-port", "6073", "--events-out-port", "6074")


def session(movies: list[Path], copies: int, workers: int, assignments: list[str], timeout_s: float) -> list[str]:
    """Lines of a table. Raises TimeoutError where the movies are not done in time."""
    with tempfile.TemporaryDirectory(dir=movies[0].parent) as folder:
        data, processing = Path(folder) / "data", Path(folder) / "processing"
        data.mkdir()
        processing.mkdir()
        for number in range(copies):
            source = movies[number % len(movies)]
            os.link(source, data / f"copy_{number:03d}{source.suffix}")
        options = ["--data", str(data), "--processing", str(processing), "--workers", str(workers), *PORTS]
        options += ["--insecure", "--incubation", "0.5", *(f"--set={one}" for one in assignments)]
        log, events = Path(folder) / "log", Path(folder) / "events"
        command = [sys.executable, "-m", "warpcore.cli.main"]
        tap = [*command, "tap", "task.finished", "--json", "--events-out-port", PORTS[-1]]
        with log.open("wb") as out, events.open("wb") as told:
            process = subprocess.Popen([*command, "up", *options], stdout=out, stderr=out)
            watcher = subprocess.Popen(tap, stdout=told, stderr=subprocess.DEVNULL)
            try:
                _wait(processing, copies, process, log, timeout_s)
                different = _different(processing)
                latency = [_latency(movies[0], data, processing, number) for number in range(3)]
                finished = _finished(events)[: -len(latency)]
            finally:
                for one in (process, watcher):
                    one.send_signal(signal.SIGINT)
                    one.wait(30)
        counted = finished[-min(50, 2 * copies // 3) - 1 :]
        done = [one["ts"] for one in counted]
        each = np.diff(done)
        stages = _stages(counted)
        said = [line for line in log.read_text(errors="replace").splitlines() if "compiled" in line or "WARN" in line]
        return [
            f"{copies} movies, {workers} worker(s): {(done[-1] - done[0]) / len(each):.3f} s a movie over the last"
            f" {len(each)} (slowest {each.max():.3f}), all in {done[-1] - finished[0]['ts']:.1f} s from the first on",
            "latency from ready to results (0.5 s of incubation included): "
            + ", ".join(f"{one:.2f} s" for one in latency),
            "seconds by stage and step, medians: " + ", ".join(f"{name} {value:.3f}" for name, value in stages.items()),
            "different outputs of equal movies: " + ", ".join(f"{kind} {count}" for kind, count in different.items()),
            *said[-6:],
        ]


def _different(processing: Path) -> dict[str, int]:
    """How many different files there are of each kind of output: 1 where equal movies gave equal bytes."""
    kinds = {
        "averages": "average/*.mrc",
        "motion": "motion/*.json",
        "CTF": "powerspectrum/*.json",
        "picks": "matching/*.star",
    }
    return {
        kind: len({hashlib.sha256(path.read_bytes()).digest() for path in processing.glob(pattern)})
        for kind, pattern in kinds.items()
    }


def _finished(events: Path) -> list[dict[str, Any]]:
    """The finished tasks that ran all steps, in order: `ts` in epoch seconds and the event's `body`."""
    told = [json.loads(line) for line in events.read_text().splitlines()]
    return [one for one in told if "motion" in one["body"].get("steps", [])]


def _stages(finished: list[dict[str, Any]]) -> dict[str, float]:
    """Median seconds of each stage and step."""
    found: dict[str, list[float]] = {}
    for event in finished:
        for step, value in event["body"].get("seconds", {}).items():
            found.setdefault(step, []).append(value)
    return {step: statistics.median(values) for step, values in found.items()}


def _latency(movie: Path, data: Path, processing: Path, number: int) -> float:
    """Seconds from the end of a copy of a file to its results, in a session that has nothing else to do."""
    name = f"late_{number}{movie.suffix}"
    shutil.copy(movie, data / name)
    begun = time.time()
    xml = processing / f"late_{number}.xml"
    deadline = begun + 60
    while not xml.exists():
        if time.time() > deadline:
            raise TimeoutError(f"{name} was not processed in 60 s")
        time.sleep(0.01)
    return time.time() - begun


def _wait(processing: Path, copies: int, process: subprocess.Popen[bytes], log: Path, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while len(list(processing.glob("*.xml"))) < copies:
        if process.poll() is not None or time.monotonic() > deadline:
            found = len(list(processing.glob("*.xml")))
            raise TimeoutError(f"{found} of {copies} movies were processed; the log ends:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)


def main() -> None:
    """Entry of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("movies", type=Path, nargs="+")
    parser.add_argument("--copies", type=int, default=75)
    parser.add_argument("--workers", type=int, nargs="+", default=[1])
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--timeout", type=float, default=600)
    options = parser.parse_args()
    movies = [path.absolute() for path in options.movies]
    for workers in options.workers:
        try:
            print("\n".join(session(movies, options.copies, workers, options.set, options.timeout)), flush=True)
        except TimeoutError as error:
            print(error, flush=True)


if __name__ == "__main__":
    main()
