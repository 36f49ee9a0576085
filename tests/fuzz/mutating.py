"""Damage done to whole inputs: bytes, numbers, pieces and texts, and the values of maps and lists."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from enum import Enum
from random import Random
from typing import Any

import msgpack

LONGEST_INPUT = 2**16
_MOST_CHANGES = 6
_LONGEST_LIST = 2000
_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_POWERS = (0, 1, 3, 4, 7, 8, 15, 16, 24, 31, 32, 53, 63, 64)
_EDGES = sorted({2**power + more for power in _POWERS for more in (-1, 0, 1)})
_NUMBERS = (*b"0 -1 1e999 nan inf -inf 1e-320 0x10 1_0".split(), b"9" * 30, b"9" * 5000, "\u0663".encode())
_PIECES = (
    b"\0",
    b"\xff",
    b"\n",
    b"\r",
    b" ",
    b'"',
    b"'",
    b"\\",
    b"[",
    b"{",
    b"%",
    b"=",
    "\u2028".encode(),
    b"\xed\xa0\x80",
)
"""Bytes that part, open or end something; the last is a lone surrogate."""
_TEXTS = ("", "a", "1", "nan", "é\n\0", "x" * 300, "\ud800")
_VALUES: tuple[Any, ...] = (*_TEXTS, None, True, -1, 1.5, 1e300, math.nan, math.inf, -(2**63), [], {}, [[]], {"": None})


class Form(Enum):
    """What an input is, besides bytes."""

    BYTES = "bytes"
    JSON = "json"
    MSGPACK = "msgpack"


def damaged(seeds: Sequence[bytes], words: Sequence[bytes], form: Form, random: Random) -> bytes:
    """One of the whole inputs with one to six changes. `words` are pieces that the format gives a meaning."""
    data = random.choice(seeds)
    if form is not Form.BYTES and random.random() < 0.6:
        try:
            data = _packed(_changed_tree(_unpacked(data, form), random), form)
        except (ValueError, TypeError, RecursionError, OverflowError, msgpack.UnpackException):
            pass  # a seed that was damaged before, or a value that the form cannot hold
        else:
            if random.random() < 0.7:
                return data[:LONGEST_INPUT]
    for _ in range(random.randint(1, _MOST_CHANGES)):
        data = random.choice(_CHANGES)(data, random, seeds, words)[:LONGEST_INPUT]
    return data


# --- bytes -----------------------------------------------------------------------------------------------------------

_Change = Callable[[bytes, Random, Sequence[bytes], Sequence[bytes]], bytes]


def _place(data: bytes, random: Random) -> int:
    return random.randrange(len(data)) if data else 0


def _with_byte(data: bytes, random: Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    at = _place(data, random)
    return data[:at] + random.randbytes(1) + data[at + 1 :]


def _with_bit(data: bytes, random: Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    at = _place(data, random)
    return data[:at] + bytes(byte ^ 1 << random.randrange(8) for byte in data[at : at + 1]) + data[at + 1 :]


def _with_integer(data: bytes, random: Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Another integer of 1 to 8 bytes: an edge, or one a little more or less than what is there."""
    size, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
    at = _place(data, random)
    at -= at % random.choice((1, size))
    value = int.from_bytes(data[at : at + size], order) if random.random() < 0.4 else random.choice(_EDGES)  # type: ignore[arg-type]
    value = (value + random.choice((0, 0, 1, -1, random.randint(-300, 300)))) % 256**size
    return data[:at] + value.to_bytes(size, order) + data[at + size :]  # type: ignore[arg-type]


def _with_number(data: bytes, random: Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Another number in the digits of a text."""
    found = [match.span() for match in _NUMBER.finditer(data)]
    if not found:
        return _with_integer(data, random, seeds, words)
    begin, end = random.choice(found)
    number = random.choice(_NUMBERS) if random.random() < 0.5 else str(random.choice(_EDGES)).encode()
    return data[:begin] + number + data[end:]


def _without_piece(data: bytes, random: Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    at = _place(data, random)
    return data[:at] + data[at + random.randint(1, 60) :]


def _cut(data: bytes, random: Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    return data[: random.randint(0, len(data))]


def _moved(data: bytes, random: Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """A piece again elsewhere, put in or in the place of what was there."""
    begin, at = _place(data, random), _place(data, random)
    piece = data[begin : begin + random.randint(1, 60)]
    return data[:at] + piece + data[at + (len(piece) if random.random() < 0.5 else 0) :]


def _joined(data: bytes, random: Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    other = random.choice(seeds)
    return data[: random.randint(0, len(data))] + other[random.randint(0, len(other)) :]


def _with_word(data: bytes, random: Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    word, at = random.choice((*words, *_PIECES)), _place(data, random)
    return data[:at] + word + data[at + (len(word) if random.random() < 0.4 else 0) :]


def _with_many(data: bytes, random: Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """A piece many times: what nests, or what takes its time for each."""
    at = _place(data, random)
    piece = random.choice((data[at : at + random.randint(1, 12)], *words, *_PIECES))
    return data[:at] + piece * random.choice((8, 100, 2000, 20_000)) + data[at:]


_CHANGES: tuple[_Change, ...] = (
    _with_byte,
    _with_byte,
    _with_bit,
    _with_integer,
    _with_integer,
    _with_integer,
    _with_number,
    _with_number,
    _without_piece,
    _cut,
    _moved,
    _joined,
    _with_word,
    _with_word,
    _with_many,
)
"""Each as often as it stands here."""


# --- maps and lists --------------------------------------------------------------------------------------------------


def _unpacked(data: bytes, form: Form) -> Any:
    return json.loads(data) if form is Form.JSON else msgpack.unpackb(data, strict_map_key=False)


def _packed(value: Any, form: Form) -> bytes:
    packed: bytes = json.dumps(value).encode() if form is Form.JSON else msgpack.packb(value)
    return packed


def _changed_tree(value: Any, random: Random) -> Any:
    for _ in range(random.randint(1, 3)):
        value = _changed(value, random)
    return value


def _changed(value: Any, random: Random) -> Any:
    """The value with one change somewhere in it, more likely deep than at the top."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(list(value))
        match random.randrange(8):
            case 0:
                return {name: one for name, one in value.items() if name != key}
            case 1:
                return {**value, random.choice(("", "x", key * 2 if isinstance(key, str) else "y")): _odd(random)}
            case _:
                return {**value, key: _changed(value[key], random)}
    if isinstance(value, list) and value and random.random() < 0.9:
        at = random.randrange(len(value))
        match random.randrange(8):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return (value * random.choice((2, 100)))[:_LONGEST_LIST]
            case _:
                return [*value[:at], _changed(value[at], random), *value[at + 1 :]]
    return _odd(random, value)


def _odd(random: Random, value: Any = None) -> Any:
    match random.randrange(8):
        case 0:
            for _ in range(random.choice((2, 20, 300))):
                value = [value] if random.random() < 0.5 else {"a": value}
            return value
        case 1:
            return -value if isinstance(value, int | float) else [random.choice(_VALUES)] * random.choice((2, 500))
        case 2:
            return random.choice(_EDGES)
        case 3:
            return random.uniform(-1e4, 1e4)
        case _:
            return random.choice(_VALUES)
