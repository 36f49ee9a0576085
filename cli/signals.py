"""An event that Ctrl-C, TERM and HUP set, for loops to check."""

from __future__ import annotations

import signal
import threading
from types import FrameType


def stop_event() -> threading.Event:
    """An event that INT, TERM and HUP set; not HUP where it is ignored, as by nohup. Call in the main thread."""
    stop = threading.Event()

    def set_it(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, set_it)
    signal.signal(signal.SIGTERM, set_it)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, set_it)  # Flux ends the script of `flux batch` by it
    return stop
