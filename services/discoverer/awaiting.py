"""Decides whether a whole movie is registered now, or its metadata are waited for. No files, sockets or clocks."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

from warpcore.bus.messages import FoundFile
from warpcore.services.discoverer.candidates import Candidate
from warpcore.services.discoverer.pairing import Pairing
from warpcore.services.readers.metadata.beside import ReadMetadata


class Verdict(Enum):
    """What becomes of a whole movie that was looked into."""

    REGISTER = "register it, with what its metadata tell"
    WAIT = "its metadata may still come"
    RECHECK = "its metadata are still being written"
    NOTHING_NEW = "it is registered, and nothing is told that was not known"


class Awaiting:
    """Movies wait up to `wait_s` for their metadata, where the session's movies have some (`Pairing`).

    Metadata that cannot be read yet are waited for as long, of registered movies until `give_up_s`.
    """

    def __init__(self, give_up_s: float) -> None:
        self.wait_s = 0.0
        self.pairing = Pairing()
        self._give_up_s = give_up_s
        self._waiting: set[str] = set()
        """Some of these may have been dropped since."""

    def judge(self, path: str, candidate: Candidate, read: ReadMetadata, now: float) -> Verdict:
        """What to do with a whole movie of which this was read."""
        age_s = now - candidate.since
        self._waiting.discard(path)
        if read.fault and age_s < (self._give_up_s if candidate.again else min(self._give_up_s, self.wait_s)):
            return Verdict.RECHECK
        self.pairing.note_fault(read.path, read.fault)
        may_come = self.pairing.is_expected and not (read.is_own or read.fault or candidate.again)
        if may_come and age_s < self.wait_s:
            self._waiting.add(path)
            return Verdict.WAIT
        return Verdict.NOTHING_NEW if candidate.again and not read.is_own else Verdict.REGISTER

    def registered(self, file: FoundFile) -> None:
        """Note where the scheduler's knowledge of a movie's recording comes from."""
        told = file.acquisition
        if told is not None and told.source_mtime_ns:
            self.pairing.read(file.path, told.source, told.source_mtime_ns)
        else:
            self.pairing.seek(file.path)

    def forget(self, path: str) -> None:
        """The file is gone, and waits no more."""
        self._waiting.discard(path)

    def told(self, candidates: Collection[str]) -> list[str]:
        """A line for the movies among `candidates` that wait."""
        self._waiting = {path for path in self._waiting if path in candidates}
        count = len(self._waiting)
        if not count:
            return []
        who = "1 movie waits for its" if count == 1 else f"{count} movies wait for their"
        return [f"{who} metadata, up to {self.wait_s:g} s (import.metadata_wait)"]
