"""Decoders that are at fault with one input, for the tests of the fuzzer itself."""

from __future__ import annotations

import ctypes
import mmap
import threading
import time
import tracemalloc

from tests.fuzz.decoder import ASLEEP_S, CPU_S, MIB, decoder

CALLS = 5
LENGTH = 2**16
_FAULT = b"fault"


def seeds() -> list[bytes]:
    """A good input first, then the one that shows the fault."""
    return [b"good", _FAULT]


@decoder(ValueError, seeds=seeds, calls=CALLS)
def raises(data: bytes) -> None:
    """An error that is not documented."""
    if data == _FAULT:
        raise KeyError("a")


@decoder(ValueError, seeds=lambda: [b"0" * 40], calls=200)
def raises_when_damaged(data: bytes) -> None:
    """An error that is not documented, where any of the last bytes is another."""
    if len(data) == 40 and data[20:] != b"0" * 20:
        raise KeyError("a")


@decoder(ValueError, seeds=seeds, calls=CALLS)
def takes_memory(data: bytes) -> None:
    """More than five bytes allow."""
    if data == _FAULT:
        bytearray(64 * MIB)


@decoder(ValueError, seeds=seeds, calls=CALLS)
def takes_memory_of_c(data: bytes) -> None:
    """As a C library does, unseen by Python."""
    if data == _FAULT:
        taken = mmap.mmap(-1, 128 * MIB)
        for page in range(0, len(taken), mmap.PAGESIZE):
            taken[page] = 1
        taken.close()


_BOUND = {"calls": CALLS, "fixed_bytes": MIB, "bytes_per_byte": 100}


@decoder(ValueError, seeds=lambda: [b"0" * LENGTH], **_BOUND)
def takes_what_its_length_allows(data: bytes) -> None:
    """90 times the length, where 100 times is allowed."""
    bytearray(90 * len(data))


@decoder(ValueError, seeds=lambda: [b"0" * LENGTH], **_BOUND)
def takes_too_much_for_its_length(data: bytes) -> None:
    """150 times the length, where 100 times is allowed."""
    bytearray(150 * len(data))


@decoder(ValueError, seeds=seeds, calls=CALLS)
def takes_long(data: bytes) -> None:
    """Without end."""
    while data == _FAULT:
        pass


@decoder(ValueError, seeds=seeds, calls=CALLS)
def takes_long_while_memory_is_looked_at(data: bytes) -> None:
    """As one does that makes very many small objects."""
    began_s = time.process_time()
    while data == _FAULT and tracemalloc.is_tracing() and time.process_time() < began_s + 1.1 * CPU_S:
        pass


@decoder(ValueError, seeds=seeds, calls=CALLS)
def sleeps(data: bytes) -> None:
    """A little longer than it may, without any work."""
    if data == _FAULT:
        threading.Event().wait(1.1 * ASLEEP_S)


@decoder(ValueError, seeds=seeds, calls=CALLS)
def sleeps_without_end(data: bytes) -> None:
    """As one does that waits for a pipe, or for a lock that nobody lets go."""
    if data == _FAULT:
        threading.Event().wait()


@decoder(ValueError, seeds=seeds, calls=CALLS)
def crashes(data: bytes) -> None:
    """As a C library does that follows a pointer to nowhere."""
    if data == _FAULT:
        ctypes.string_at(0)


@decoder(ValueError, seeds=seeds, calls=CALLS)
def says_much(data: bytes) -> None:
    """An error that quotes its whole input, a large one."""
    if data == _FAULT:
        raise ValueError("x" * 100_000)


@decoder(ValueError, seeds=seeds, calls=CALLS)
def fine(data: bytes) -> None:
    """Never at fault."""
    if data != b"good":
        raise ValueError("not good")
