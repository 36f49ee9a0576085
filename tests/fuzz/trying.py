"""One input given to one decoder, and what it did: within its limits, or at fault."""

from __future__ import annotations

import signal
import time
import traceback
import tracemalloc
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.fuzz.decoder import ASLEEP_S, CPU_S, Decoder
from tests.fuzz.resting import ready_s
from tests.fuzz.touched import forget_peak, peak_bytes

LONGEST_TEXT = 4000
"""Characters of an error's text: it becomes one line of a log or a page."""

_OF_THREADS_BYTES = 32 * 2**20
"""So much more may be touched by new threads, and by what the allocator keeps: seen are 10 MiB."""
_TIMES = 3
"""A decoder is at fault for time or memory if it took too much each time: the first use of a part of a library imports
it, and a disk may be busy."""

ENDED_AFTER = 4
"""Times the CPU time that an input may take."""

SLOW, ASLEEP, MEMORY = "slow: ", "asleep: ", "memory: "
_numbers = count()


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of an input: `fault` is "" where the guarantees hold; CPU seconds, and the peak of memory in bytes."""

    refused: bool
    fault: str
    cpu_s: float
    peak_bytes: int

    @property
    def is_dear(self) -> bool:
        """Whether it took too much time or memory."""
        return self.fault.startswith((SLOW, ASLEEP, MEMORY))


def tried(decoder: Decoder, data: bytes, folder: Path, cpu_s: float = CPU_S) -> Tried:
    """Give `data` to a decoder; files lie in `folder` meanwhile. What takes long or much is tried again.

    What takes long is tried again without a look at what Python asks for, which takes most of the time of what makes
    many small objects. An input that takes `ENDED_AFTER` the CPU time that it may (`cpu_s`) ends the process, also in
    C code.
    """
    traced = True
    for _ in range(_TIMES):
        signal.setitimer(signal.ITIMER_PROF, ENDED_AFTER * cpu_s)
        found = tried_once(decoder, data, folder, cpu_s, traced=traced)
        signal.setitimer(signal.ITIMER_PROF, 0)
        if not found.is_dear:
            break
        traced = not found.fault.startswith(SLOW)
    return found


def tried_once(decoder: Decoder, data: bytes, folder: Path, most_cpu_s: float = CPU_S, *, traced: bool = True) -> Tried:
    """Give `data` to a decoder, for as long as it takes.

    Memory is what Python and numpy have asked for, touched or not, where that is `traced`, or what C libraries have
    touched, if more.

    A decoder is asleep while it waits for anything but a CPU: time on the wall, less the CPU time of all threads, less
    the time for which its thread was ready to run.
    """
    given: bytes | Path = data
    if decoder.suffix:
        given = folder / f"{next(_numbers)}{decoder.suffix}"  # some readers keep what they have read by name
        given.write_bytes(data)
    if traced:
        tracemalloc.start()
    resident_bytes, ready_before_s = forget_peak(), ready_s()
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    refused, fault = False, ""
    try:
        decoder.read(given)
    except decoder.refusals as error:
        refused, fault = True, _fault_of_text(str(error))
    except Exception as error:  # noqa: BLE001  any other error is what is looked for
        place = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {str(error)[:200]}"
    cpu_s = time.process_time() - began_cpu_s
    asleep_s = time.monotonic() - began_s - cpu_s - (ready_s() - ready_before_s)
    most_bytes = max(tracemalloc.get_traced_memory()[1], peak_bytes() - resident_bytes - _OF_THREADS_BYTES)
    tracemalloc.stop()
    if isinstance(given, Path):
        given.unlink(missing_ok=True)
    if not fault and most_bytes > decoder.bound_bytes(len(data)):
        fault = f"{MEMORY}{most_bytes / 2**20:.0f} MiB for {len(data)} bytes"
    if not fault and cpu_s > most_cpu_s:
        fault = f"{SLOW}more than {most_cpu_s:g} s of CPU time"
    if not fault and asleep_s > ASLEEP_S:
        fault = f"{ASLEEP}more than {ASLEEP_S:g} s of waiting, and not for a CPU"
    return Tried(refused, fault, cpu_s, most_bytes)


def _fault_of_text(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        return f"text: an error of {len(text)} characters"
    return f"text: an error of several lines: {text[:200]!r}" if len(text.splitlines()) > 1 else ""
