"""Many inputs for many decoders, tried in a process of their own: one that ends the process is found and told too."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.fuzz.decoder import ASLEEP_S, CPU_S, Decoder
from tests.fuzz.now import last_trial, present_trial
from tests.fuzz.resting import Rest, busy_s
from tests.fuzz.trying import ASLEEP, ENDED_AFTER, SLOW, Tried

ROOT = Path(__file__).resolve().parents[2]
_MOST_DEATHS = 20
"""After so many inputs that end the process, no more are tried."""
HANGS = "hangs: "
_LOOK_EVERY_S = 0.2
_ENDED_AFTER_S = 4 * ASLEEP_S
"""A process that has slept so long over one input is ended."""


class Engine(StrEnum):
    """What makes the inputs."""

    HYPOTHESIS = "hypothesis"
    ATHERIS = "atheris"


@dataclass(frozen=True)
class Plan:
    """What a child does: the decoders of `modules` by `names`, of the first one the inputs from number `first` on.

    `seconds` count for each, from its first input on; None: as many inputs as it names, the same for equal seeds.
    Atheris takes one decoder, and seconds. With `inputs`, paths of files, nothing else is tried.
    """

    names: list[str]
    modules: list[str]
    folder: str
    engine: Engine
    seed: int
    first: int = 0
    seconds: float | None = None
    inputs: tuple[str, ...] = ()

    @staticmethod
    def read(text: str) -> Plan:
        """As the parent has written it."""
        told = json.loads(text)
        return Plan(**{**told, "engine": Engine(told["engine"])})


@dataclass
class Tally:
    """What came of the inputs of a decoder; `faults` has the last of the shortest inputs for each kind of fault."""

    calls: int = 0
    refused: int = 0
    slowest_s: float = 0.0
    peak_bytes: int = 0
    faults: dict[str, bytes] = field(default_factory=dict)

    @staticmethod
    def read(told: dict[str, Any]) -> Tally:
        """As a child has written it."""
        return Tally(**{**told, "faults": {fault: bytes.fromhex(data) for fault, data in told["faults"].items()}})

    def note(self, found: Tried, data: bytes) -> bool:
        """Count one input; whether it shows a fault that no shorter one has shown."""
        self.calls += 1
        self.refused += found.refused
        self.slowest_s = max(self.slowest_s, found.cpu_s)
        self.peak_bytes = max(self.peak_bytes, found.peak_bytes)
        return bool(found.fault) and self.add_fault(found.fault, data)

    def add_fault(self, fault: str, data: bytes) -> bool:
        """Keep the input unless there is a shorter one of its kind; whether it was kept."""
        former = next((one for one in self.faults if _kind(one) == _kind(fault)), None)
        if former is not None:
            if len(self.faults[former]) < len(data):
                return False
            del self.faults[former]
        self.faults[fault] = data
        return True

    def add(self, other: Tally) -> None:
        """Take over what another process has seen."""
        self.calls += other.calls
        self.refused += other.refused
        self.slowest_s = max(self.slowest_s, other.slowest_s)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        for fault, data in other.faults.items():
            self.add_fault(fault, data)


def _kind(fault: str) -> str:
    return fault.partition(": ")[0]


def fuzz(
    decoders: Sequence[Decoder], seed: int, *, seconds: float | None = None, engine: Engine = Engine.HYPOTHESIS
) -> dict[str, Tally]:
    """Try the kept inputs of each decoder, then damaged ones: as many as it names, or for `seconds` each.

    Without `seconds`, equal seeds give equal inputs, after those that the database of faults remembers.
    """
    if seconds is None:
        return _fuzz_together(decoders, engine, seed)
    tallies = {}
    for one in decoders:
        tallies |= _fuzz_together([one], engine, seed, seconds=seconds)
        if engine is Engine.ATHERIS:
            _without_slowness_of_atheris(one, tallies[one.name])
    return tallies


def try_again(decoder: Decoder, paths: Sequence[Path]) -> Tally:
    """What comes of these inputs, which are files."""
    inputs = tuple(str(path) for path in paths)
    return _fuzz_together([decoder], Engine.HYPOTHESIS, 0, inputs=inputs)[decoder.name]


def _without_slowness_of_atheris(decoder: Decoder, tally: Tally) -> None:
    """Drop what takes long only while its code tells what it reaches."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for fault in [one for one in tally.faults if one.startswith((SLOW, HANGS))]:
            path = Path(folder, "input")
            path.write_bytes(tally.faults.pop(fault))
            tally.add(try_again(decoder, [path]))


def _fuzz_together(
    decoders: Sequence[Decoder],
    engine: Engine,
    seed: int,
    *,
    seconds: float | None = None,
    inputs: tuple[str, ...] = (),
) -> dict[str, Tally]:
    """In one process, and after its death in another, which goes on with the next input."""
    tallies = {one.name: Tally() for one in decoders}
    names, first, began_s = [one.name for one in decoders], 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for deaths in range(_MOST_DEATHS):
            left_s = None if seconds is None else seconds - (time.monotonic() - began_s if deaths else 0.0)
            if left_s is not None and left_s <= 0:
                break
            modules = sorted({one.read.__module__ for one in decoders if one.name in names})
            ended_by = _run(Plan(names, modules, folder, engine, seed, first, left_s, inputs))
            told = Path(folder, "tallies.json")
            for name, tally in json.loads(told.read_text()).items() if told.exists() else ():
                tallies[name].add(Tally.read(tally))
            told.unlink(missing_ok=True)
            if not ended_by:
                break
            last = last_trial(Path(folder, "now"))
            tallies[names[last.decoder]].add_fault(ended_by, last.data)
            names, first = names[last.decoder :], last.number + 1
    return tallies


def _run(plan: Plan) -> str:
    """Run a child to its end; the fault that it died of, "" for none.

    CPU time is bounded by a timer of its own. One that sleeps is seen from here, however busy the machine is.
    """
    now, rest = Path(plan.folder, "now"), Rest()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.child", json.dumps(asdict(plan))],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        ) as child,
    ):
        while True:
            try:
                code = child.wait(_LOOK_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                busy = busy_s(child.pid)
            trial = present_trial(now)
            if trial and busy and rest.look(trial, time.monotonic(), busy) > _ENDED_AFTER_S:
                child.kill()
                child.wait()
                return f"{ASLEEP}ended after {_ENDED_AFTER_S:g} s of waiting, and not for a CPU"
        errors.seek(0)
        if code > 0:
            raise RuntimeError(f"the process that tries decoders failed:\n{errors.read().decode()[-4000:]}")
    return "" if code == 0 else _death(-code)


def _death(number: int) -> str:
    if number == signal.SIGPROF:
        return f"{HANGS}ended after {ENDED_AFTER * CPU_S:g} s of CPU time"
    return f"crash: the process ended by {signal.Signals(number).name}"
