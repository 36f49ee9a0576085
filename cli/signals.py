"""An event that Ctrl-C and TERM set, for loops to check."""

from __future__ import annotations

import signal
import threading
from types import FrameType


def stop_event() -> threading.Event:
    """An event that INT and TERM set. Call in the main thread."""
    stop = threading.Event()

    def set_it(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, set_it)
    signal.signal(signal.SIGTERM, set_it)
    return stop
