"""Where a movie's time goes on a device: kernels, copies and idle time of each stage, as a text table.

`make profile`, or `python -m tests.benchmarks.device_profile [MOVIE] [--set NAME=VALUE]`; without a movie one as of a
K3 camera is simulated below `build/profile`. It is processed a few times, so that everything is compiled and picking
goes by what it chose; the last time is profiled.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import pstats
import tempfile
import time
from collections import defaultdict
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STAGES = ("load", "defects", "motion", "correct", "ctf", "picking", "write")


@dataclass
class Stage:
    """What the device did in one stage; times in ms."""

    wall: float = 0.0
    busy: float = 0.0
    copies: float = 0.0
    launches: int = 0
    longest: dict[str, list[float]] = field(default_factory=lambda: defaultdict(lambda: [0.0, 0]))


def run(
    path: Path, settings: Any, device: str, repeats: int = 3, host: bool = False
) -> tuple[dict[str, Stage], list[dict[str, float]], str]:
    """Stages of the last of `repeats` runs of one movie, the seconds of each run, and of `host` functions its table."""
    import jax
    import msgspec

    from warpcore.services.worker.caches import cache_directory
    from warpcore.services.worker.devices import open_device
    from warpcore.services.worker.local import place_outputs
    from warpcore.services.worker.local_files import plan_file
    from warpcore.services.worker.pipeline import compute, load, stage_outputs

    open_device(device, cache_directory())
    seconds: list[dict[str, float]] = []
    choices: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        out, trace = Path(folder) / "out", Path(folder) / "trace"

        def once(functions: cProfile.Profile | None = None) -> None:
            times, begun = {}, time.monotonic()
            with jax.profiler.TraceAnnotation("load"):
                task = msgspec.structs.replace(plan_file(path, settings, out).task, choices=choices)
                work = load(task, lambda *_: None)
            times["load"] = time.monotonic() - begun
            with functions if functions is not None else nullcontext():
                work = compute(work, lambda *_: None)
            times |= work.seconds
            begun = time.monotonic()
            with jax.profiler.TraceAnnotation("write"):
                place_outputs(work, stage_outputs(work, lambda *_: None))
            times["write"] = time.monotonic() - begun
            seconds.append(times)
            picking = work.results.get("picking")
            if picking is not None:  # as in a session, whose first movies choose for all that follow
                choices["picking"] = {"method": picking["method"], "shape": picking["shape"]}

        for _ in range(repeats - 1):
            once()
        with jax.profiler.trace(str(trace)):
            once()
        text = io.StringIO()
        if host:
            functions = cProfile.Profile()
            once(functions)
            pstats.Stats(functions, stream=text).strip_dirs().sort_stats("tottime").print_stats(45)
            pstats.Stats(functions, stream=text).strip_dirs().sort_stats("cumtime").print_stats(60)
        return stages(next(trace.rglob("*.xplane.pb"))), seconds, text.getvalue()


def stages(profile: Path) -> dict[str, Stage]:
    """Stages of a profile. A kernel belongs to the stage in whose time it began."""
    from jax.profiler import ProfileData

    spans: list[tuple[float, float, str]] = []
    work: list[tuple[float, float, str]] = []
    for plane in ProfileData.from_file(str(profile)).planes:
        for line in plane.lines:
            for event in line.events:
                if plane.name.startswith("/host") and event.name in STAGES:
                    spans.append((event.start_ns, event.end_ns, event.name))
                elif plane.name.startswith("/device:GPU") and line.name.startswith("Stream"):
                    work.append((event.start_ns, event.end_ns, event.name))
    found = {name: Stage() for name in STAGES}
    for start, end, name in spans:
        found[name].wall += (end - start) / 1e6
    for start, end, name in sorted(work):
        stage = next((found[one] for first, last, one in spans if first <= start < last), None)
        if stage is None:
            continue
        length = (end - start) / 1e6
        if name.lower().startswith("memcpy"):
            stage.copies += length
        else:
            stage.busy += length
            stage.launches += 1
        stage.longest[name][0] += length
        stage.longest[name][1] += 1
    return found


def table(found: dict[str, Stage], most: int = 6) -> str:
    """One row a stage, then the longest kernels and copies of each."""
    rows = [f"{'stage':10s}{'wall ms':>10s}{'kernels ms':>12s}{'copies ms':>11s}{'launches':>10s}{'idle %':>8s}"]
    for name, stage in found.items():
        idle = 100 * (1 - min(1.0, (stage.busy + stage.copies) / max(stage.wall, 1e-9)))
        rows.append(
            f"{name:10s}{stage.wall:10.1f}{stage.busy:12.1f}{stage.copies:11.1f}{stage.launches:10d}{idle:8.0f}"
        )
    for name, stage in found.items():
        for kernel, (length, count) in sorted(stage.longest.items(), key=lambda one: -one[1][0])[:most]:
            rows.append(f"  {name:9s}{length:9.2f} ms {int(count):6d} x  {kernel[:90]}")
    return "\n".join(rows)


def memory() -> str:
    """What JAX has taken of the device at most."""
    import jax

    stats = jax.local_devices()[0].memory_stats() or {}
    most, limit = (stats.get(name, 0) / 1e9 for name in ("peak_bytes_in_use", "bytes_limit"))
    return f"device memory: at most {most:.1f} of {limit:.1f} GB"


def _simulated(folder: Path) -> tuple[Path, list[str]]:
    """A movie of 40 × 4092 × 5760, LZW, made once, and the settings that it needs."""
    from warpcore.cli.simulation import simulate_movies
    from warpcore.cli.simulation_options import SimulationOptions

    movie, gain = folder.absolute() / "movie_0001.tif", folder.absolute() / "gain.mrc"
    if not movie.exists():
        options = SimulationOptions(
            frames=40, height=4092, width=5760, pixel_size_angstrom=0.83, dose_per_frame=1.0, particles=300
        )
        simulate_movies(folder, 1, options=options, seed=3)
    given = {"gain_path": gain, "pixel_size": 0.83, "dose_per_frame": 1.0}
    return movie, [*(f"import.{name}={value}" for name, value in given.items()), "picking.diameter=136"]


def main() -> None:
    """Entry of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("movie", type=Path, nargs="?")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--host", action="store_true", help="also where the host's time goes, in a last run")
    options = parser.parse_args()
    from warpcore.cli.devices import use_device
    from warpcore.cli.initial_settings import settings_from

    device = use_device("auto")
    movie, assignments = options.movie, options.set
    if movie is None:
        movie, assignments = _simulated(Path("build/profile"))
        assignments += options.set
    settings = settings_from(None, assignments)
    found, seconds, host = run(movie.absolute(), settings, device, options.repeats, options.host)
    for number, times in enumerate(seconds, 1):
        print(f"run {number}: " + ", ".join(f"{name} {value:.3f} s" for name, value in times.items()))
    print(table(found))
    print(memory())
    print(host, end="")


if __name__ == "__main__":
    main()
