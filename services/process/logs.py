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

ABOUT = ("movie", "lease", "worker", "step")
"""What an event can concern: a movie's name, a lease's number (its task), a worker's name, a step's name."""
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
    handler.setFormatter(JsonFormatter() if form is LogFormat.JSON else logging.Formatter(TEXT))
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


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, what the event concerns, a traceback if any."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        found = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **concerns(record),
        }
        if record.exc_info:
            found["traceback"] = self.formatException(record.exc_info)
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
