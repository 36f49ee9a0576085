"""`warpcore pool run` with all guards' times multiplied by a factor, for sites whose time runs faster.

python -m tests.services.pool.fast_pool FACTOR FILE PROCESSING CONTROLLER_PORT CONTROL_PORT [KEY]
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from warpcore.bus.endpoints import Endpoints
from warpcore.cli.signals import stop_event
from warpcore.services.access.keys import read_key
from warpcore.services.access.places import Access
from warpcore.services.pool.jobs import USUAL
from warpcore.services.pool.service import PoolPlace, run_pool
from warpcore.services.process.logs import LogFormat, log_to_stderr

START_S, DEATH_S = 60.0, 20.0
"""A worker's start, and its death at once, take what they take, on a busy host also so long."""

if __name__ == "__main__":
    factor, file, processing, controller, control, *key = sys.argv[1:]
    stop = stop_event()
    log_to_stderr(LogFormat.TEXT)
    guards = USUAL.scaled(float(factor))
    run_pool(
        Endpoints("127.0.0.1", int(controller), int(control)),
        PoolPlace(Path(file).stem, Path(file), Path(processing), Access.of(None, Path(processing))),
        key=read_key(Path(key[0])) if key else None,
        guards=replace(guards, start_s=max(START_S, guards.start_s), death_s=max(DEATH_S, guards.death_s)),
        stop=stop,
    )
