"""How services log: to stderr, one line an event, the level early so that others can filter by it."""

from __future__ import annotations

import logging
import sys

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_to_stderr(level: int | str = logging.INFO) -> None:
    """Send all of this process's log lines to stderr."""
    logging.basicConfig(level=level, format=FORMAT, stream=sys.stderr, force=True)
    logging.captureWarnings(True)


def is_urgent(line: str) -> bool:
    """Whether a line is a warning or worse; lines without a level (a traceback) are."""
    words = line.split(" ", 4)
    levels = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    level = next((word for word in words[:4] if word in levels), None)
    return level not in ("DEBUG", "INFO")
