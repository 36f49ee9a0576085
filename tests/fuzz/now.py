"""A file in memory that says what is tried at this moment, for whoever watches the process or finds it dead."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.mutating import LONGEST_INPUT

_HEAD = struct.Struct("<qqqq")


class Trial(NamedTuple):
    """The number of a decoder in the plan, the number of its input, and the input."""

    decoder: int
    number: int
    data: bytes


class Now:
    """The writer's side."""

    def __init__(self, path: Path) -> None:
        with path.open("w+b") as file:
            file.truncate(_HEAD.size + LONGEST_INPUT)
            self._memory = mmap.mmap(file.fileno(), 0)

    def put(self, trial: Trial) -> None:
        """Note what is tried now."""
        data = trial.data[:LONGEST_INPUT]
        self._memory[: _HEAD.size] = _HEAD.pack(trial.decoder, trial.number, True, len(data))
        self._memory[_HEAD.size : _HEAD.size + len(data)] = data

    def done(self) -> None:
        """It has been tried; it stays the last one."""
        decoder, number, _, length = _HEAD.unpack_from(self._memory)
        self._memory[: _HEAD.size] = _HEAD.pack(decoder, number, False, length)


def last_trial(path: Path) -> Trial:
    """What was tried last."""
    content = path.read_bytes()
    decoder, number, _, length = _HEAD.unpack_from(content)
    return Trial(decoder, number, content[_HEAD.size : _HEAD.size + length])


def present_trial(path: Path) -> tuple[int, int] | None:
    """The numbers of the decoder and of the input that is tried now; None between two, and before the first."""
    try:
        with path.open("rb") as file:
            decoder, number, is_tried, _ = _HEAD.unpack(file.read(_HEAD.size))
    except (OSError, struct.error):
        return None
    return (decoder, number) if is_tried else None
