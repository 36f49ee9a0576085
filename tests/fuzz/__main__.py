"""Fuzzes all decoders and REST for a while, or those that are named: a table, and inputs at fault in build/fuzz."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz import http, with_atheris
from tests.fuzz.decoder import BUILD, DECODERS, Decoder
from tests.fuzz.decoders import MODULES
from tests.fuzz.failing import written
from tests.fuzz.fuzzing import Engine, Tally, fuzz, try_again

NAMES = [name for name, one in DECODERS.items() if one.read.__module__ in {module.__name__ for module in MODULES}]
HTTP_SHARE = 0.125
"""Of the time, where decoders are tried too."""


def main() -> int:
    """Returns 1 where a guarantee did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="DECODER", help=f"of {', '.join(NAMES)}, http; without any, all")
    parser.add_argument("--minutes", type=float, default=10.0, help="for all of them together, without their starts")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**31, help="by default another each time")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument(
        "--input", type=Path, metavar="FILE", help="try this one input of the one decoder, and no other"
    )
    given = parser.parse_args()
    names = given.names or [*NAMES, http.NAME]
    if unknown := set(names) - {*NAMES, http.NAME}:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(NAMES)}, {http.NAME}")
    decoders = [DECODERS[name] for name in names if name != http.NAME]
    if given.input and (len(names) != 1 or not decoders):
        parser.error("--input is for one decoder, which must be named")
    print(f"{'decoder':24}{'calls':>10}{'refused':>9}{'slowest':>10}{'memory':>10}  faults")
    if given.input:
        return int(_tell(names[0], try_again(decoders[0], [given.input])))
    share = HTTP_SHARE if http.NAME in names and decoders else float(http.NAME in names)
    failed = _decoders(decoders, given.seed, given.minutes * 60 * (1 - share), given.jobs)
    if http.NAME in names:
        failed |= _http(given.seed, given.minutes * 60 * share)
    print(f"\nseed {given.seed}")
    return int(failed)


def _decoders(decoders: Sequence[Decoder], seed: int, seconds: float, jobs: int) -> bool:
    """Fuzz these, `seconds` for all of them; whether any is at fault."""
    if not decoders:
        return False
    engine = Engine.ATHERIS if with_atheris.is_installed() else Engine.HYPOTHESIS
    if engine is Engine.HYPOTHESIS:
        print("    atheris is not installed (extra `fuzz`): inputs by hypothesis, whatever code they reach")
    jobs = min(jobs, len(decoders))
    each_s = seconds * jobs / len(decoders)
    with ThreadPoolExecutor(jobs) as pool:
        found = pool.map(lambda one: fuzz([one], seed, seconds=each_s, engine=engine)[one.name], decoders)
        failed = [_tell(one.name, tally) for one, tally in zip(decoders, found, strict=True)]
        return any(failed)


def _http(seed: int, seconds: float) -> bool:
    """Fuzz REST for so long; whether it is at fault."""
    log = BUILD / "fuzz" / "http.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        command = [sys.executable, "-m", http.__name__, str(seed), str(seconds)]
        code = subprocess.run(command, stderr=file, check=False).returncode
    if code > 1 or code < 0:
        print(f"{http.NAME}: ended by {code}; see {log}")
    return code != 0


def _tell(name: str, tally: Tally) -> bool:
    """A row of the table, and for each fault how to try its input again; whether there is one."""
    share = 100 * tally.refused / max(1, tally.calls)
    slowest, peak = f"{1e3 * tally.slowest_s:.0f} ms", f"{tally.peak_bytes / 2**20:.1f} MiB"
    print(f"{name:24}{tally.calls:10}{share:8.0f}%{slowest:>10}{peak:>10}  {len(tally.faults)}", flush=True)
    for fault, data in tally.faults.items():
        print(f"    {fault}\n    {len(data)} bytes; {written(name, data)}", flush=True)
    return bool(tally.faults)


if __name__ == "__main__":
    sys.exit(main())
