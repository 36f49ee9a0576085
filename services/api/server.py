"""The gunicorn process behind `run_api`.

`python -m warpcore.services.api.server FD HOST CONTROL EVENTS WORKERS LOG_FORMAT ORIGIN…`
"""

from __future__ import annotations

import sys
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.workers.gasgi import ASGIWorker

from warpcore.bus.endpoints import Endpoints
from warpcore.services.api.app import Application, Dependencies, create_app
from warpcore.services.api.client import SchedulerClient
from warpcore.services.api.live import Feed, Following
from warpcore.services.api.mirror import Mirror
from warpcore.services.process.logs import LogFormat, log_to_stderr
from warpcore.services.process.parent import end_with_parent
from warpcore.services.process.versions import versions

GRACE_S = 1
"""Seconds that requests in flight have after TERM. `END_S` in service.py is longer."""

KEEP_ALIVE_S = 60
"""An idle connection stays open for longer than people and programs pause: a request that meets its end would fail."""


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with these settings alone: no configuration file and no environment variable changes them."""

    def __init__(self, options: dict[str, Any], endpoints: Endpoints, origins: list[str]) -> None:
        self._options = options
        self._origins = origins
        self._endpoints = endpoints
        self.feed: Feed | None = None
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Application:
        """The application of one worker, which follows the scheduler by itself."""
        client = SchedulerClient(self._endpoints.control)
        mirror, self.feed = Mirror(), Feed()
        following = Following(self._endpoints, mirror, self.feed)

        async def start() -> None:
            await client.open()
            await following.start()

        async def stop() -> None:
            await following.stop()
            await client.close()

        shown = versions("falcon", "gunicorn", "pyzmq")
        return create_app(Dependencies(client, mirror, self.feed, start, stop, shown, self._origins))


class _Worker(ASGIWorker):  # type: ignore[misc]
    """Ends the streams of events at once when it is told to end: they would take the whole grace."""

    def handle_exit_signal(self) -> None:
        """TERM."""
        super().handle_exit_signal()
        if self.app.feed is not None:
            self.app.feed.close()


class _Logger(Logger):  # type: ignore[misc]
    """gunicorn's events go where all others of this process go."""

    def setup(self, cfg: Any) -> None:
        """As gunicorn sets it up, without its own way out."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def main() -> None:
    """Serve on the inherited listening socket."""
    descriptor, host, control_port, events_out_port, workers, log_format, *origins = sys.argv[1:]
    log_to_stderr(LogFormat(log_format))
    endpoints = Endpoints(host, control_port=int(control_port), events_out_port=int(events_out_port))
    end_with_parent()
    options = {
        "bind": [f"fd://{descriptor}"],
        "worker_class": _Worker,
        "workers": int(workers),
        "control_socket_disable": True,
        "graceful_timeout": GRACE_S,
        "keepalive": KEEP_ALIVE_S,
        "logger_class": _Logger,
        "loglevel": "warning",
        "proc_name": "warpcore-api",
    }
    _Server(options, endpoints, origins).run()


if __name__ == "__main__":
    main()
