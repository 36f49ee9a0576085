"""The process that tries inputs: `fuzzing.py` starts it, and learns from files what it found, or died of."""

from __future__ import annotations

import importlib
import json
import logging
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tests.fuzz import with_atheris, with_hypothesis
from tests.fuzz.decoder import CPU_S, DECODERS, Decoder
from tests.fuzz.fuzzing import Engine, Plan, Tally
from tests.fuzz.now import Now, Trial
from tests.fuzz.trying import tried, tried_once

ADDRESS_BYTES = 16 * 2**30
"""A decoder that asks for more gets a MemoryError, and the machine stays as it is."""
_IN_MEMORY = Path("/dev/shm")
"""Inputs that are files lie here where it is there: nobody waits for a busy disk."""
_WRITTEN_EVERY = 1000
_AT_ONCE = 200
"""So many inputs hypothesis is asked for, until the time is over."""


class Attempts:
    """Tries inputs of one decoder one after the other, and counts what came of them."""

    def __init__(self, plan: Plan, place: int, files: Path, now: Now, tally: Tally) -> None:
        self.number = plan.first if place == 0 else 0
        self._decoder, self._place, self._files = DECODERS[plan.names[place]], place, files
        self._now, self._tally = now, tally
        self._cpu_s = CPU_S * (with_atheris.SLOWER if plan.engine is Engine.ATHERIS else 1)
        # Libraries are imported and tables made, which nobody measures.
        tried_once(self._decoder, self._decoder.whole()[0], files)

    def __call__(self, data: bytes, write: Callable[[], None]) -> str:
        """The fault that an input shows, "" for none; `write` now and then what was found."""
        self._now.put(Trial(self._place, self.number, data))
        found = tried(self._decoder, data, self._files, self._cpu_s)
        self._now.done()
        self.number += 1
        if self._tally.note(found, data) or self.number % _WRITTEN_EVERY == 0:
            write()
        return found.fault


def main(plan: Plan) -> None:
    """Try what the plan says; `tallies.json` in its folder holds what came of it, also before the end."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_BYTES, ADDRESS_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with with_atheris.watched_imports() if plan.engine is Engine.ATHERIS else nullcontext():
        for module in plan.modules:
            importlib.import_module(module)
    folder = Path(plan.folder)
    now, tallies = Now(folder / "now"), {name: Tally() for name in plan.names}
    write = partial(_write, folder, tallies)
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_IN_MEMORY if _IN_MEMORY.is_dir() else folder) as files:
        for place, name in enumerate(plan.names):
            decoder = DECODERS[name]
            attempts = Attempts(plan, place, Path(files), now, tallies[name])
            whole = [Path(path).read_bytes() for path in plan.inputs] or decoder.whole()
            for data in whole[attempts.number :]:
                attempts(data, write)
            if not plan.inputs:
                _go_on(plan, decoder, whole, attempts, write)
            write()


def _go_on(plan: Plan, decoder: Decoder, whole: Sequence[bytes], attempts: Attempts, write: Callable[[], None]) -> None:
    """Damaged inputs, after the whole ones."""
    attempt = partial(attempts, write=write)
    by_hypothesis = partial(with_hypothesis.try_inputs, decoder, whole, attempt)
    if plan.seconds is None:
        left = decoder.calls - max(0, attempts.number - len(whole))
        if left > 0:
            by_hypothesis(f"{plan.seed} {decoder.name} {attempts.number}", left)
        return
    until_s = time.monotonic() + plan.seconds
    if plan.engine is Engine.ATHERIS:
        with_atheris.try_inputs(decoder, whole, attempt, write, seed=plan.seed + attempts.number, until_s=until_s)
    while time.monotonic() < until_s:
        by_hypothesis(f"{plan.seed} {decoder.name} {attempts.number}", _AT_ONCE)


def _write(folder: Path, tallies: dict[str, Tally]) -> None:
    told = {
        name: {**asdict(tally), "faults": {fault: data.hex() for fault, data in tally.faults.items()}}
        for name, tally in tallies.items()
    }
    (folder / "tallies.new").write_text(json.dumps(told))
    (folder / "tallies.new").rename(folder / "tallies.json")


if __name__ == "__main__":
    main(Plan.read(sys.argv[1]))
