"""Whole files that the scheduler has not acknowledged, and what of them goes into one message."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from warpcore.bus.limits import MOST_AT_ONCE
from warpcore.bus.messages import FoundFile
from warpcore.services.discoverer.candidates import Candidate

_BATCH_BYTES = 700_000
_BYTES_BESIDE_FILE = 16


class Ready(dict[str, Candidate]):
    """The files to register by path, in the order in which they became whole."""

    def batch(self, limit: int = MOST_AT_ONCE) -> list[FoundFile]:
        """The next ones, at most `limit` and what one message holds. They stay until settled."""
        files: list[FoundFile] = []
        length = 0
        for path, candidate in self.items():
            file = candidate.file(path)
            length += len(msgspec.msgpack.encode(file)) + _BYTES_BESIDE_FILE
            if len(files) == limit or (files and length > _BATCH_BYTES):
                break
            files.append(file)
        return files

    def seen_s(self, files: Iterable[FoundFile], now: float) -> list[float]:
        """How many seconds ago each file of a batch was seen first."""
        return [round(now - self[file.path].seen, 3) for file in files]

    def settle(self, file: FoundFile) -> None:
        """The scheduler has answered for this file; it stays where it has changed meanwhile."""
        if (ready := self.get(file.path)) is not None and ready.file(file.path) == file:
            del self[file.path]
