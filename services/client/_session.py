"""A session as a client sees it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from warpcore.bus.vocabulary import Order
from warpcore.services.access.token_files import own_token
from warpcore.services.api.views import AlarmView, HealthView, StatusView
from warpcore.services.client._errors import UnreachableError
from warpcore.services.client._events import Event, events
from warpcore.services.client._exports import Files
from warpcore.services.client._http import Http
from warpcore.services.client._movies import Movies
from warpcore.services.client._people import WorkersAndPeople
from warpcore.services.client._results import Results
from warpcore.services.client._settings import SessionSettings
from warpcore.services.client._tries import Tries


class Session(Movies, Results, Tries, Files, SessionSettings, WorkersAndPeople):
    """The session whose API is at `url`. Nothing is kept open between requests.

    All methods raise UnreachableError where nobody answers, and ApiError where the API refuses a request. A name of a
    movie may also be its number, `~12`. `ca` is a PEM file of certificates to trust besides those of this host, for an
    https address with a certificate of a site's own authority.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:5000",
        timeout_s: float = 75.0,
        *,
        token: str | None = None,
        ca: Path | str | None = None,
    ) -> None:
        """`token` as `warpcore tokens add` prints it. Without one: that of WARPCORE_TOKEN, that in the file named by
        WARPCORE_TOKEN_FILE, or that of your own session at this port of this host, which may start later. A request
        raises AccessError or OSError where such a file cannot be used. `ca`: a PEM file of certificates to trust too.
        `timeout_s`: longest silence; the API itself waits up to a minute for a change of settings.
        """
        find = (lambda: own_token(url, os.environ)) if token is None else (lambda: token)
        super().__init__(Http(url, timeout_s, find, Path(ca) if ca else None))

    @property
    def url(self) -> str:
        """The API's address."""
        return self._http.url

    def health(self) -> HealthView:
        """The API's and the scheduler's own state."""
        return self._get("/api/health", HealthView)

    def status(self) -> StatusView:
        """How far the session is."""
        return self._get("/api/processing/status", StatusView)

    def alarms(self) -> list[AlarmView]:
        """What a person should look at now."""
        return self._get("/api/alarms", list[AlarmView])

    def acknowledge_alarm(self, id: str) -> list[AlarmView]:
        """Note that someone has seen an alarm; it comes again once it has been well."""
        return self._send("POST", "/api/alarms/acknowledge", {"id": id}, list[AlarmView])

    def report(self) -> bytes:
        """The session's report: one HTML file."""
        return self._http.get("/api/report")

    def start(self) -> StatusView:
        """Hand movies to workers."""
        return self._send("POST", "/api/processing/start", None, StatusView)

    def pause(self) -> StatusView:
        """Hand out no more movies; those that run are finished."""
        return self._send("POST", "/api/processing/pause", None, StatusView)

    def set_order(self, order: Order | str) -> StatusView:
        """Choose which waiting movie is next."""
        return self._send("PUT", "/api/processing/order", {"order": order}, StatusView)

    def wait_until_done(
        self, *, movies: int = 1, timeout_s: float | None = None, interval_s: float = 1.0
    ) -> StatusView:
        """Wait until there are at least so many movies and none of them waits or runs. Raises TimeoutError.

        Services that are started again meanwhile do no harm.
        """
        until = None if timeout_s is None else time.monotonic() + timeout_s
        seen = "the API has not answered"
        while True:
            try:
                status = self.status()
                if status.total_items >= movies and status.items_left == 0:
                    return status
                seen = f"{status.items_left} of {status.total_items} movies are left"
            except UnreachableError as error:
                seen = str(error)
            if until is not None and time.monotonic() + interval_s > until:
                raise TimeoutError(f"the session is not done after {timeout_s:g} s: {seen}")
            time.sleep(interval_s)

    def events(self, *topics: str, last_id: str = "", patience_s: float = 60.0) -> Iterator[Event]:
        """What happens from now on, or after the event `last_id`: each change once and in order, over restarts.

        `topics` are beginnings, such as `movie` or `task.progress`. The first event of each connection is `hello`;
        where its `resumed` is false, load the state anew. Raises UnreachableError after `patience_s` without a sign.
        """
        return events(self._http, topics, last_id, patience_s)
