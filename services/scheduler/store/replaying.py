"""Runs a recording through the machine, without sockets and clocks, and finds the first difference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgpack

from warpcore.services.scheduler.core.invariants import InvariantError, validate
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.plain import digest, stimulus_from_plain, title
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.taking_back import go_on
from warpcore.services.scheduler.store.database import Stored
from warpcore.services.scheduler.store.recording import FORMAT, Begun, RecordError
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.scheduler.store.tables import TABLES
from warpcore.services.session.allowed import Readable
from warpcore.services.session.settings import SettingsError

_ROWS: dict[str, Any] = {table.stored: table.row._make for table in TABLES}


@dataclass(frozen=True, slots=True)
class Difference:
    """The first stimulus that did not do what was recorded."""

    number: int
    stimulus: str
    expected: str
    came: str

    def __str__(self) -> str:
        return f"stimulus {self.number} ({self.stimulus}): expected {self.expected}, came {self.came}"


@dataclass(slots=True)
class Replayed:
    """How a replay went: stimuli handled, the first difference, and what a person should know of the file's end."""

    stimuli: int = 0
    difference: Difference | None = None
    note: str = ""


class _Run:
    """The state of a replay. A state is restored once its rows are read, before the first stimulus that follows."""

    def __init__(self) -> None:
        self._stored: Stored | None = None
        self._begun: Begun | None = None
        self._state: State | None = None

    def begin(self, value: dict[str, Any]) -> None:
        """A recorded state; rows follow."""
        self._stored, self._begun = Stored(**value["stored"]), Begun(**value["begun"])

    def rows(self, value: dict[str, Any]) -> None:
        """Rows of the state that begins."""
        assert self._stored is not None
        getattr(self._stored, value["table"]).extend(map(_ROWS[value["table"]], value["rows"]))

    @property
    def state(self) -> State:
        """The state now."""
        if self._stored is not None and self._begun is not None:
            begun, before = self._begun, self._state
            where = {"data_directory": begun.data_directory, "processing_directory": begun.processing_directory}
            self._state = restore(self._stored, now=begun.now, wall=begun.wall, **where)
            self._state.heartbeat_timeout_s, self._state.task_timeout_s = (
                begun.heartbeat_timeout_s,
                begun.task_timeout_s,
            )
            self._state.bulk_changes = begun.bulk_changes
            self._state.readable = Readable(tuple(begun.references), begun.follow_links)
            self._state.version = begun.version
            if before is not None:
                self._state = go_on(self._state, before)
            self._stored = self._begun = None
        if self._state is None:
            raise RecordError("a stimulus comes before any state")
        return self._state


def replay(path: Path, *, check: bool = False) -> Replayed:
    """Replay a recording to its end or its first difference; `check` also validates the state after each stimulus.

    Raises RecordError for a file that is no recording.
    """
    run, done = _Run(), Replayed()
    waiting: tuple[int, str, Any] | None = None
    try:
        for key, value in _records(path, done):
            match key:
                case "state":
                    run.begin(value)
                case "rows":
                    run.rows(value)
                case "stimulus":
                    done.stimuli += 1
                    waiting = (value["number"], *_handled(run.state, value, check))
                case "effects" | "raised" if waiting is not None:
                    number, what, came = waiting
                    waiting = None
                    expected = [tuple(one) for one in value] if key == "effects" else f"an error, {value}"
                    done.difference = _difference(number, what, expected, came)
                    if done.difference is not None:
                        return done
    except SettingsError as error:
        raise RecordError(
            f"{path} holds settings that are unknown here ({error}); replay it with the version, and the packages of "
            "steps, that it was made with"
        ) from error
    except (ValueError, TypeError, KeyError, AssertionError, AttributeError) as error:
        raise RecordError(f"{path} is damaged at stimulus {done.stimuli}: {error!r}") from error
    if waiting is not None:
        done.note = (
            f"the recording ends within stimulus {waiting[0]} ({waiting[1]}); the replay gave {_told(waiting[2])}"
        )
    return done


def _records(path: Path, done: Replayed) -> Iterator[tuple[str, Any]]:
    """The maps of the file, the head checked. A last one that is cut off is noted."""
    try:
        with path.open("rb") as file:
            unpacker = msgpack.Unpacker(file, strict_map_key=False)
            head = next(iter(unpacker), None)
            if not isinstance(head, dict) or not isinstance(head.get("head"), dict):
                raise RecordError(f"{path} is no recording of a scheduler")
            if head["head"].get("format") != FORMAT:
                raise RecordError(
                    f"{path} has format {head['head'].get('format')}; this version replays format {FORMAT}"
                )
            for record in unpacker:
                ((key, value),) = record.items()
                yield key, value
            if unpacker.tell() < path.stat().st_size:
                done.note = "the last record of the file is cut off"
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror or error}") from None
    except (msgpack.UnpackException, msgpack.FormatError, ValueError) as error:
        raise RecordError(f"{path} is no recording of a scheduler: {error!r}") from None


def _handled(state: State, value: dict[str, Any], check: bool) -> tuple[str, Any]:
    """What the stimulus is called, and what it does now: digests of effects, or the error."""
    stimulus = stimulus_from_plain(value["stimulus"])
    try:
        effects = [digest(effect) for effect in handle(state, stimulus, value["now"], value["wall"])]
        if check:
            validate(state)
    except InvariantError as error:
        return title(stimulus), f"a state that contradicts itself: {error}"
    except Exception as error:  # noqa: BLE001 - an error is a result, to be compared with the recorded one
        return title(stimulus), f"an error, {error!r}"
    return title(stimulus), effects


def _difference(number: int, what: str, expected: Any, came: Any) -> Difference | None:
    if expected == came:
        return None
    if isinstance(expected, str) or isinstance(came, str):
        return Difference(number, what, _told(expected), _told(came))
    for place, (one, other) in enumerate(zip_longest(expected, came), start=1):
        if one != other:
            where = f"effect {place} of {len(expected)}"
            return Difference(number, f"{what}, {where}", _effect(one), _effect(other))
    raise AssertionError("unequal lists have an unequal place")


def _told(result: Any) -> str:
    return result if isinstance(result, str) else f"{len(result)} effects"


def _effect(one: tuple[str, str] | None) -> str:
    return "no more effects" if one is None else f"{one[0]} [{one[1]}]"
