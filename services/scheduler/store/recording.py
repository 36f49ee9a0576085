"""A recording of a run: the state that it began with, every stimulus with its times, and digests of the effects.

The file is a stream of msgpack maps, each with one key: `head`, `state`, `rows`, `stimulus`, `effects` or `raised`.
Each is flushed at once, so a crash costs no more than the last one. A replay (`replaying.py`) needs this file alone.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgpack

from warpcore.services.scheduler.core.effects import Effect
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.plain import digest, stimulus_to_plain
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import Stimulus
from warpcore.services.scheduler.store.database import Stored
from warpcore.services.scheduler.store.tables import TABLES

log = logging.getLogger(__name__)

FORMAT = 2
ROWS_AT_ONCE = 500


class RecordError(Exception):
    """A recording that cannot be written or read; one clear line."""


@dataclass(frozen=True, slots=True)
class Begun:
    """With what a run begins, beside its rows."""

    now: float
    wall: float
    data_directory: str
    processing_directory: str
    heartbeat_timeout_s: float
    task_timeout_s: float
    bulk_changes: int
    references: tuple[str, ...] = ()
    follow_links: bool = False
    version: str = ""


class Recorder:
    """Writes a recording. Never over an existing file: then `FILE` gets a number. Raises RecordError."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO | None
        self.path, self._file = _new_file(path)
        self._number = 0
        log.warning("every stimulus is recorded to %s", self.path)
        self._write("head", {"format": FORMAT})

    def begin(self, state: State, stored: Stored) -> None:
        """Write a state that was restored from rows: a run begins with it, or goes on from it after a fault."""
        begun = Begun(
            state.now,
            state.wall,
            state.data_directory,
            state.processing_directory,
            state.heartbeat_timeout_s,
            state.task_timeout_s,
            state.bulk_changes,
            state.readable.references,
            state.readable.follow_links,
            state.version,
        )
        tables = [table.stored for table in TABLES]
        plain = {name: value for name, value in _shallow(stored).items() if name not in tables}
        self._write("state", {"begun": asdict(begun), "stored": plain})
        for table in tables:
            rows = getattr(stored, table)
            for first in range(0, len(rows), ROWS_AT_ONCE):
                self._write("rows", {"table": table, "rows": rows[first : first + ROWS_AT_ONCE]})

    def handle(self, state: State, stimulus: Stimulus, now: float, wall: float) -> list[Effect]:
        """Let the machine handle a stimulus, and record both. Raises what the machine raises."""
        self._number += 1
        plain = stimulus_to_plain(stimulus)
        self._write("stimulus", {"number": self._number, "now": now, "wall": wall, "stimulus": plain})
        try:
            effects = handle(state, stimulus, now, wall)
        except Exception as error:
            self._write("raised", repr(error))
            raise
        self._write("effects", [digest(effect) for effect in effects])
        return effects

    def close(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):  # of bytes that are still to be written
                file.close()

    def _write(self, key: str, value: Any) -> None:
        if self._file is None:
            return
        try:
            self._file.write(msgpack.packb({key: value}))
            self._file.flush()
        except OSError as error:
            # The session is worth more than its recording.
            log.error("%s cannot be written, recording ends here: %s", self.path, error.strerror or error)
            self.close()


def _new_file(path: Path) -> tuple[Path, BinaryIO]:
    for number in range(1, 1000):
        chosen = path if number == 1 else path.with_name(f"{path.name}.{number}")
        try:
            return chosen, chosen.open("xb")
        except FileExistsError:
            continue
        except OSError as error:
            raise RecordError(f"{chosen} cannot be written: {error.strerror or error}; give another --record") from None
    raise RecordError(f"{path} and 998 more recordings beside it exist; give another --record")


def _shallow(stored: Stored) -> dict[str, Any]:
    return {name: getattr(stored, name) for name in Stored.__dataclass_fields__}
