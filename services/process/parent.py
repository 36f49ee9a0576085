"""Ends a process when its parent ends, even by `kill -9`, so that no process is left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

PARENT_VARIABLE = "WARPCORE_PARENT"
"""Environment variable with the parent's process id. Without it a service runs on its own."""

GRACE_S = 7.0
"""Seconds from the parent's end until the whole process group is killed, if TERM has not ended it."""

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.5


def end_with_parent(*, insist: bool = False) -> None:
    """Have the kernel send this process TERM when its parent ends. Call in the main thread, first thing.

    Does nothing without `WARPCORE_PARENT`, which the parent sets. With `insist`, a thread kills this process's group
    where TERM has not ended it; this needs a process that leads its own group.
    """
    text = os.environ.pop(PARENT_VARIABLE, "")
    if not text.isdigit():
        return
    parent = int(text)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("warpcore: the process that started this one is gone")
    if insist and os.getpgrp() == os.getpid():
        threading.Thread(target=_kill_group_after, args=(parent,), name="parent-watch", daemon=True).start()


def _kill_group_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_S)
    time.sleep(GRACE_S)
    os.killpg(0, signal.SIGKILL)
