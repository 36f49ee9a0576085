"""What a decoder is here: a function from bytes or a file, its documented errors, and how much it may take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.mutating import Form, damaged

CORPUS = Path(__file__).with_name("corpus")
BUILD = Path(__file__).resolve().parents[2] / "build"
MIB = 2**20
FIXED_BYTES = 8 * MIB
"""What any decoder may take however short its input is: buffers, and tables that a library makes once."""
BYTES_PER_BYTE = 300
"""What any decoder may take for each byte of its input: Python keeps an empty map of 2 bytes of JSON in 64."""
CPU_S = 1.0
"""So much CPU time an input may take."""
ASLEEP_S = 1.0
"""So long an input may wait for anything but a CPU."""


@dataclass(frozen=True)
class Decoder:
    """A decoder under test.

    `read` is given the input, or with a `suffix` the path of a file that holds it. `seeds` makes whole inputs, `made`
    one with random values where damage would not come far. `refusals` are the errors that it documents. It may take
    `fixed_bytes + bytes_per_byte` × the input's length. `calls` is how often it is tried every day.
    """

    name: str
    read: Callable[[Any], object]
    refusals: tuple[type[Exception], ...]
    seeds: Callable[[], Sequence[bytes]]
    suffix: str = ""
    form: Form = Form.BYTES
    words: tuple[bytes, ...] = ()
    made: Callable[[Random], bytes] | None = None
    fixed_bytes: int = FIXED_BYTES
    bytes_per_byte: int = BYTES_PER_BYTE
    calls: int = 100

    def whole(self) -> list[bytes]:
        """The seeds, and the inputs of the corpus: most of these once showed a fault."""
        return [*self.seeds(), *self.corpus().values()]

    def corpus(self) -> dict[str, bytes]:
        """The kept inputs by name."""
        return {path.name: path.read_bytes() for path in sorted((CORPUS / self.name).glob("*"))}

    def case(self, whole: Sequence[bytes], random: Random) -> bytes:
        """One input to try."""
        if self.made is not None and random.random() > 0.7:
            data = self.made(Random(random.getrandbits(32)))
            return data if random.random() < 0.5 else damaged([data], self.words, self.form, random)
        return damaged(whole, self.words, self.form, random)

    def bound_bytes(self, length: int) -> int:
        """The most memory for an input of this length."""
        return self.fixed_bytes + self.bytes_per_byte * length


DECODERS: dict[str, Decoder] = {}


def decoder(
    *refusals: type[Exception], seeds: Callable[[], Sequence[bytes]], **more: Any
) -> Callable[[Callable[[Any], object]], Callable[[Any], object]]:
    """Function decorator: what it reads is fuzzed under its own name; the rest is as in `Decoder`."""

    def register(read: Callable[[Any], object]) -> Callable[[Any], object]:
        DECODERS[read.__name__] = Decoder(read.__name__, read, refusals, seeds, **more)
        return read

    return register
