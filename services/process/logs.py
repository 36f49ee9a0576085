"""How processes log: one event after another to stderr, as text or as one JSON object a line.

An event names what it concerns: the fields of `ABOUT` that were given by `extra=`, by `about` around the code that
logs, or by `always` for the whole process.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any

ABOUT = ("movie", "lease", "worker", "step", "session")
"""What an event can concern: a movie's name, a lease's number (its task), a worker's name, a step's name, the
processing directory of a movie's session."""
LONGEST_LINE = 2000
"""Characters of one line of an event; names, settings and errors in it come from elsewhere, and may be long."""
LONGEST_EVENT = 20_000
"""Characters of a whole event with its traceback."""
TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_about: ContextVar[Mapping[str, Any]] = ContextVar("about", default=MappingProxyType({}))
_always: dict[str, Any] = {}


class LogFormat(StrEnum):
    """How lines look."""

    TEXT = "text"
    JSON = "json"


def log_to_stderr(form: LogFormat = LogFormat.TEXT, level: int | str = logging.INFO) -> None:
    """Send all of this process's log events to stderr. Where that cannot be written to, they are lost silently."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form is LogFormat.JSON else TextFormatter(TEXT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(True)
    # A full disk, or a reader that has gone, must not print a traceback for each event.
    logging.raiseExceptions = False


@contextmanager
def about(**fields: Any) -> Iterator[None]:
    """What is logged within, in this thread, concerns these."""
    token = _about.set({**_about.get(), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def always(**fields: Any) -> None:
    """All that this process logs from now on concerns these."""
    _always.update(fields)


def concerns(record: logging.LogRecord) -> dict[str, Any]:
    """What an event concerns, as far as that is known. Call it in the thread that logs."""
    known = {**_always, **_about.get(), **vars(record)}
    return {name: known[name] for name in ABOUT if known.get(name) is not None}


def bounded(text: str) -> str:
    """An event that fills no disk: of long lines the begin and the end, of many lines the first and the last ones."""
    if len(text) > LONGEST_LINE:
        text = "\n".join(cut(line, LONGEST_LINE) for line in cut(text, LONGEST_EVENT).split("\n"))
    return text


def cut(text: str, longest: int) -> str:
    """A text of at most so many characters, and a word on those that are left out of its middle."""
    if len(text) <= longest:
        return text
    left_out = f" … ({len(text) - longest} characters more) … "
    half = max(longest - len(left_out), 2) // 2
    return f"{text[:half]}{left_out}{text[-half:]}"


class TextFormatter(logging.Formatter):
    """A line for each event, and a traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The event, without its end."""
        return bounded(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, what the event concerns, a traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        found = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": bounded(record.getMessage()),
            **concerns(record),
        }
        if record.exc_info:
            found["traceback"] = bounded(self.formatException(record.exc_info))
        return json.dumps(found, default=str)


def timestamp(at: float) -> str:
    """A time in epoch seconds as ISO 8601 in UTC with milliseconds: `2026-11-26T13:38:40.937Z`."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read_event(line: str) -> logging.LogRecord | None:
    """The event of a line that `JsonFormatter` has made; None for any other line."""
    try:
        found = json.loads(line)
        level = logging.getLevelNamesMapping()[found["level"].upper()]
        values = {"levelno": level, "levelname": logging.getLevelName(level), "name": str(found["logger"])}
        text = "\n".join([str(found["message"]), *([str(found["traceback"])] if "traceback" in found else [])])
        values |= {"msg": text, "created": datetime.fromisoformat(found["time"]).timestamp()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None
    return logging.makeLogRecord(values | {name: found[name] for name in ABOUT if name in found})
