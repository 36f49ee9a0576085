"""The sign of life of a service without a port, for probes such as those of Kubernetes."""

from __future__ import annotations

import logging
import os
from pathlib import Path

VARIABLE = "WARPCORE_ALIVE"
"""Environment variable with the path of the file."""

log = logging.getLogger(__name__)


def tell_alive() -> None:
    """Touch the file that `WARPCORE_ALIVE` names; without it do nothing. Loops call it every 15 s or more often.

    A probe looks how old the file is. Where it cannot be written the log says so each time.
    """
    if path := os.environ.get(VARIABLE):
        try:
            Path(path).touch()
        except OSError as error:
            log.warning("no probe sees that this service is alive: %s: %s", path, error.strerror)
