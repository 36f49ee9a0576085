"""The gunicorn process behind `run_api`: `python -m warpcore.services.api.server FD CONTROL WORKERS`."""

from __future__ import annotations

import sys
from typing import Any

from gunicorn.app.base import BaseApplication

from warpcore.services.api.app import Application, Dependencies, create_app
from warpcore.services.api.client import SchedulerClient
from warpcore.services.process.parent import end_with_parent
from warpcore.services.process.versions import versions

GRACE_S = 1
"""Seconds that requests in flight have after TERM. `END_S` in service.py is longer."""


def application(control_endpoint: str) -> Application:
    """The application that talks to the scheduler at `control_endpoint`."""
    client = SchedulerClient(control_endpoint)
    return create_app(Dependencies(client, client.open, client.close, versions("falcon", "gunicorn", "pyzmq")))


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with these settings alone: no configuration file and no environment variable changes them."""

    def __init__(self, options: dict[str, Any], control_endpoint: str) -> None:
        self._options = options
        self._control_endpoint = control_endpoint
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        return application(self._control_endpoint)


def main() -> None:
    """Serve on the inherited listening socket."""
    descriptor, control_endpoint, workers = sys.argv[1:4]
    end_with_parent()
    options = {
        "bind": [f"fd://{descriptor}"],
        "worker_class": "asgi",
        "workers": int(workers),
        "control_socket_disable": True,
        "graceful_timeout": GRACE_S,
        "loglevel": "warning",
        "proc_name": "warpcore-api",
    }
    _Server(options, control_endpoint).run()


if __name__ == "__main__":
    main()
