"""The lines that services log, as `up` shows and keeps them."""

from __future__ import annotations

import logging
import time

from warpcore.services.process.logs import JsonFormatter, read_event


def is_urgent(line: str) -> bool:
    """Whether a line is a warning or worse. A line without a level, as in a traceback, counts as urgent."""
    event = read_event(line)
    if event is not None:
        return event.levelno >= logging.WARNING
    words = line.split(" ", 4)
    levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    level = next((word for word in words[:4] if word in levels), None)
    return level not in ("DEBUG", "INFO")


def plain(line: str) -> str:
    """What a line says to a person."""
    event = read_event(line)
    return line if event is None else f"{event.levelname} {event.name}: {event.getMessage()}"


def as_event(service: str, line: str, level: int = logging.INFO) -> str:
    """A line as a JSON object: as it is where it is one, else the message of an event of the service."""
    if read_event(line) is not None:
        return line
    values = {"name": service, "levelno": level, "levelname": logging.getLevelName(level)}
    return JsonFormatter().format(logging.makeLogRecord({**values, "msg": line, "created": time.time()}))
