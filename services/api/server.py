"""The gunicorn process behind `run_api`: `python -m warpcore.services.api.server FD OPTIONS`.

FD is the listening socket that it inherits, OPTIONS are `ServerOptions` as one argument.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from gunicorn.app.base import BaseApplication
from gunicorn.asgi.lifespan import LifespanManager
from gunicorn.glogging import Logger
from gunicorn.workers.gasgi import ASGIWorker

from warpcore.bus.keys import ClientKey
from warpcore.services.access.keys import read_key
from warpcore.services.access.places import Access
from warpcore.services.access.tokens import TokenStore
from warpcore.services.api.access import Known
from warpcore.services.api.app import Dependencies, create_app
from warpcore.services.api.client import SchedulerClient
from warpcore.services.api.http.bodies import HeadsFirst
from warpcore.services.api.http.listener import Listener, limits_of_process
from warpcore.services.api.http.options import HttpOptions
from warpcore.services.api.http.rates import Counted, FairShares
from warpcore.services.api.http.renewal import LOOK_EVERY_S, Renewal
from warpcore.services.api.live import Feed, Following
from warpcore.services.api.mirror import Mirror
from warpcore.services.api.server_options import ServerOptions
from warpcore.services.process.logs import log_to_stderr
from warpcore.services.process.parent import end_with_parent
from warpcore.services.process.versions import versions

GRACE_S = 1
"""Seconds that requests in flight have after TERM. `END_S` in service.py is longer."""

KEEP_ALIVE_S = 60
"""An idle connection stays open for longer than people and programs pause: a request that meets its end would fail."""

MAX_HEADER_BYTES = 8190
MAX_HEADERS = 64
"""Of one line, and how many there may be: browsers send some 20."""

NOTIFY_S = 0.2
"""Time between signs of life of a worker for gunicorn's arbiter, and between looks whether it shall end."""


class _Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with these settings alone: no configuration file and no environment variable changes them."""

    def __init__(self, gunicorn_settings: dict[str, Any], options: ServerOptions, key: ClientKey | None) -> None:
        self._gunicorn_settings = gunicorn_settings
        self.options = options
        self._key = key
        self.feed: Feed | None = None
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._gunicorn_settings.items():
            self.cfg.set(name, value)

    def load(self) -> HeadsFirst:
        """The application of one worker, which follows the scheduler by itself."""
        options = self.options
        client = SchedulerClient(options.endpoints.control, paths=options.paths, key=self._key)
        mirror, self.feed = Mirror(), Feed()
        following = Following(options.endpoints, mirror, self.feed, self._key)
        tokens = None if options.access is None else TokenStore(Access(options.access).tokens)
        known = None if tokens is None else Known(tokens, self.feed.wake)

        async def start() -> None:
            if known is not None:
                await known.start()
            await client.open()
            await following.start()

        async def stop() -> None:
            await following.stop()
            await client.close()
            if known is not None:
                await known.stop()

        shown = versions("falcon", "gunicorn", "pyzmq")
        http, shares = options.http, FairShares(options.http.proxies)
        own_name = options.own_name
        dependencies = Dependencies(
            client, mirror, self.feed, start, stop, shown, http.origins, http.hosts, shares, known, own_name
        )
        return HeadsFirst(Counted(create_app(dependencies), shares))


class _Worker(ASGIWorker):  # type: ignore[misc]
    """Accepts connections by our own listener, which bounds their number and how long they may take.

    Ends the streams of events at once when it is told to end: they would take the whole grace.
    """

    async def _serve(self) -> None:
        """As gunicorn's own, with another listener."""
        http: HttpOptions = self.app.options.http
        renewal = None if http.certificate is None or http.key is None else Renewal(http.certificate, http.key)
        context = None if renewal is None else renewal.context
        self.lifespan = LifespanManager(self.asgi, self.log, self.state)
        await self.lifespan.startup()
        limits = limits_of_process()
        self.servers = [Listener(self, one.sock, context, http.proxies, limits) for one in self.sockets]
        for server in self.servers:
            server.open()
        renewing = None if renewal is None else asyncio.create_task(self._renew(renewal))
        while self.alive and self.ppid == os.getppid():
            self.notify()
            await asyncio.sleep(NOTIFY_S)
        if renewing is not None:
            renewing.cancel()
        await self._shutdown()

    async def _renew(self, renewal: Renewal) -> None:
        """Take up a certificate that was renewed. The files are looked at in a thread: their storage may hang."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if await asyncio.to_thread(renewal.look):
                for server in self.servers:
                    server.renew(renewal.context)

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
    descriptor, argument = sys.argv[1:]
    options = ServerOptions.of_argument(argument)
    log_to_stderr(options.log_format)
    key = None if options.key is None else read_key(options.key)
    end_with_parent()
    gunicorn_settings = {
        "bind": [f"fd://{descriptor}"],
        "worker_class": _Worker,
        "workers": options.workers,
        "asgi_loop": "asyncio",
        "control_socket_disable": True,
        "graceful_timeout": GRACE_S,
        "keepalive": KEEP_ALIVE_S,
        "forwarded_allow_ips": ",".join(options.http.proxies),
        "limit_request_field_size": MAX_HEADER_BYTES,
        "limit_request_fields": MAX_HEADERS,
        "logger_class": _Logger,
        "loglevel": "warning",
        "proc_name": "warpcore-api",
    }
    _Server(gunicorn_settings, options, key).run()


if __name__ == "__main__":
    main()
