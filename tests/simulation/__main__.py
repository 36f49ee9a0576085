"""Runs the simulation: many seeds on all cores, or one with its trace."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.simulation.faults import KINDS, read
from tests.simulation.shrinking import shrink, told
from tests.simulation.world import Outcome, run

TOLD_EVERY = 1000
MOST_SHRUNK = 10


def main() -> int:
    """Returns 1 where an invariant did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many runs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--seed", type=int, help="run this one alone, and print its trace")
    parser.add_argument("--faults", help="with --seed: these faults in place of its own")
    given = parser.parse_args()
    if given.seed is not None:
        return one(given.seed, given.faults)
    return many(range(given.first, given.first + given.seeds), given.jobs)


def one(seed: int, faults: str | None) -> int:
    """One run, told line by line."""
    outcome = run(seed, None if faults is None else read(faults), trace=True)
    print(*outcome.lines, sep="\n")
    print(told(outcome) if outcome.broken else f"seed {seed}: all holds, trace {outcome.digest}")
    return int(bool(outcome.broken))


def many(seeds: range, jobs: int) -> int:
    """Many runs, and a table of what they met."""
    began, tried, frames, simulated_s = time.monotonic(), Counter[str](), 0, 0.0
    failed: list[Outcome] = []
    with ProcessPoolExecutor(jobs) as pool:
        for number, outcome in enumerate(pool.map(run, seeds, chunksize=10), start=1):
            tried.update(fault.kind for fault in outcome.faults)
            frames, simulated_s = frames + outcome.frames, simulated_s + outcome.simulated_s
            if outcome.broken:
                failed.append(outcome)
                print(f"seed {outcome.seed}: {outcome.broken}", flush=True)
            if number % TOLD_EVERY == 0:
                print(f"{number} runs, {number / (time.monotonic() - began):.1f} a second", flush=True)
    took_s = time.monotonic() - began
    print(f"\n{len(seeds)} runs in {took_s:.0f} s ({len(seeds) / took_s:.1f} a second on {jobs} processes)")
    print(f"{simulated_s / 3600:.0f} simulated hours, {frames} frames, {tried.total()} faults:\n")
    for kind in KINDS:
        print(f"  {kind:14} {tried[kind]:7}  {(KINDS[kind].begin.__doc__ or '').strip()}")
    print(f"\n{len(failed)} of {len(seeds)} runs failed")
    for outcome in failed[:MOST_SHRUNK]:
        print(told(shrink(outcome)))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
