"""How services log: to stderr, one line an event, with its level near the beginning, so that others can filter."""

from __future__ import annotations

import logging
import sys

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to_stderr(level: int | str = logging.INFO) -> None:
    """Send all of this process's log lines to stderr."""
    logging.basicConfig(level=level, format=FORMAT, stream=sys.stderr, force=True)
    logging.captureWarnings(True)


def is_urgent(line: str) -> bool:
    """Whether a line is a warning or worse. A line without a level, as in a traceback, counts as urgent."""
    words = line.split(" ", 4)
    levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    level = next((word for word in words[:4] if word in levels), None)
    return level not in ("DEBUG", "INFO")
