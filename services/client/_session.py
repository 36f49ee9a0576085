"""A session as a client sees it."""

from __future__ import annotations

import re
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from warpcore.bus.vocabulary import FailureKind, Order, Selection
from warpcore.services.api.views import (
    AlarmView,
    ColumnView,
    Curves,
    HealthView,
    Index,
    ItemsPage,
    ItemView,
    MovieView,
    Picks,
    RetriedView,
    SelectedView,
    SettingsEffectView,
    StatusView,
    Tracks,
    UndoneView,
    WorkersView,
    WorkerView,
)
from warpcore.services.client._errors import UnreachableError
from warpcore.services.client._events import Event, events
from warpcore.services.client._http import Http
from warpcore.services.client._series import Series

T = TypeVar("T")

Settings = dict[str, dict[str, Any]]
_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"
_NUMBER = re.compile(r"~[1-9][0-9]*")


class Session:
    """The session whose API is at `url`. Nothing is kept open between requests.

    All methods raise UnreachableError where nobody answers, and ApiError where the API refuses a request. A name of a
    movie may also be its number, `~12`.
    """

    def __init__(self, url: str = "http://127.0.0.1:5000", timeout_s: float = 30.0) -> None:
        self._http = Http(url, timeout_s)

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

    def workers(self) -> list[WorkerView]:
        """All workers with their load."""
        return self._get("/api/workers", WorkersView).workers

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

    def settings(self) -> Settings:
        """All settings by section."""
        return self._get("/api/settings", Settings)

    def change_settings(self, changes: Settings) -> Settings:
        """Change the settings that are named: `{"ctf": {"voltage": 200}}`. Returns all of them."""
        return self._send("PATCH", "/api/settings", changes, Settings)

    def preview_settings(self, changes: Settings) -> SettingsEffectView:
        """What such a change would do; nothing changes."""
        return self._send("POST", "/api/settings/preview", changes, SettingsEffectView)

    def columns(self) -> list[ColumnView]:
        """All columns of movies: those of lists, filters and series."""
        return self._get("/api/columns", list[ColumnView])

    def series(self, *columns: str) -> Series:
        """Columns of all movies as numpy arrays; without names the main ones."""
        return self._series({"columns": ",".join(columns)})

    def newer(self, series: Series) -> Series:
        """The same columns of all movies as they are now; only what has changed since is sent.

        What was changed a moment ago may be missing: it is as new as the last event that the API has heard.
        """
        columns = ",".join(name for name in series.columns if name != "id")
        return series.updated(self._series({"columns": columns, "since": series.seq, "epoch": series.epoch}))

    def items(self, *filters: str, sort: str = "added") -> Iterator[MovieView]:
        """Movies that fit all filters (`ctf.defocusUm:0.5..2`, `status:failed` …), asked for page by page."""
        for item in self._pages({"filter": filters, "sort": sort}):
            yield msgspec.convert(item, MovieView)

    def records(self, *filters: str, fields: Sequence[str], sort: str = "added") -> Iterator[dict[str, Any]]:
        """The chosen columns of movies that fit all filters, one map a movie."""
        yield from self._pages({"filter": filters, "sort": sort, "fields": ",".join(fields)})

    def item(self, name: str) -> ItemView:
        """One movie with its story."""
        return self._get(_address(name), ItemView)

    def select(
        self,
        selection: Selection | str,
        *filters: str,
        names: Sequence[str] = (),
        ids: Sequence[int] = (),
        by: str = "",
    ) -> SelectedView:
        """Include or exclude movies, or leave them to the filter: those named, and those that fit all filters."""
        body = {"selection": selection, "filter": filters or None, "names": names, "ids": ids, "by": by}
        return self._send("POST", "/api/selection", body, SelectedView)

    def undo(self, change: SelectedView) -> UndoneView:
        """Give the movies of a change their former selection back."""
        return self._send("POST", "/api/selection/undo", {"undo": change.undo}, UndoneView)

    def retry(
        self,
        *filters: str,
        names: Sequence[str] | None = None,
        ids: Sequence[int] | None = None,
        kind: FailureKind | str | None = None,
        force: bool = False,
    ) -> RetriedView:
        """Queue failed movies again: those named and those that fit all filters, or all; `kind`: of these some."""
        body = {"filter": filters or None, "names": names, "ids": ids, "kind": kind, "force": force}
        given = {name: value for name, value in body.items() if value is not None}
        return self._send("POST", "/api/retry", given, RetriedView)

    def process_first(self, name: str) -> ItemView:
        """Put a waiting movie ahead of all others."""
        return self._send("POST", f"{_address(name)}/priority", {"first": True}, ItemView)

    def pictures(self, name: str) -> Index:
        """What pictures and files there are of a movie."""
        return self._get(f"{_address(name)}/pictures", Index)

    def picture(self, name: str, kind: str, **parameters: str | int) -> bytes:
        """A picture of a movie: `thumbnail`, `average`, `spectrum`, `motion`, `picks` or `junk`."""
        return self._http.get(f"{_address(name)}/picture/{kind}", parameters)

    def curves(self, name: str) -> Curves:
        """The CTF in one dimension, and the whole fit."""
        return self._get(f"{_address(name)}/curves", Curves)

    def tracks(self, name: str) -> Tracks:
        """Motion, frame by frame."""
        return self._get(f"{_address(name)}/tracks", Tracks)

    def picks(self, name: str) -> Picks:
        """All scored candidates, whatever the threshold."""
        return self._get(f"{_address(name)}/picks", Picks)

    def file(self, name: str, path: str, first: int = 0, last: int | None = None) -> bytes:
        """A file of a movie, or its bytes from `first` to `last`; `path` is one of those that `pictures` lists."""
        part = first > 0 or last is not None
        headers = {"Range": f"bytes={first}-{'' if last is None else last}"} if part else {}
        return self._http.get(f"{_address(name)}/files/{quote(path)}", headers=headers)

    def download(self, name: str, path: str, to: Path) -> None:
        """Write a file of a movie to `to`, which appears once it is whole. Raises OSError."""
        coming = to.with_name(f"{to.name}.part")
        with coming.open("wb") as out:
            out.writelines(self._http.pieces(f"{_address(name)}/files/{quote(path)}"))
        coming.replace(to)

    def events(self, *topics: str, last_id: str = "", patience_s: float = 60.0) -> Iterator[Event]:
        """What happens from now on, or after the event `last_id`: each change once and in order, over restarts.

        `topics` are beginnings, such as `movie` or `task.progress`. The first event of each connection is `hello`;
        where its `resumed` is false, load the state anew. Raises UnreachableError after `patience_s` without a sign.
        """
        return events(self._http, topics, last_id, patience_s)

    def _series(self, query: dict[str, str | int]) -> Series:
        data = self._http.get("/api/series", query, {"Accept-Encoding": "gzip"})
        return Series.decode(zlib.decompress(data, _GZIP) if data.startswith(_GZIP_MAGIC) else data)

    def _pages(self, query: dict[str, Any]) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            page = self._get("/api/items", ItemsPage, {**query, "cursor": cursor})
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return

    def _get(self, path: str, kind: type[T], query: dict[str, Any] | None = None) -> T:
        return msgspec.json.decode(self._http.get(path, query), type=kind)

    def _send(self, method: str, path: str, body: Any, kind: type[T]) -> T:
        return msgspec.json.decode(self._http.send(method, path, body), type=kind)


def _address(name: str) -> str:
    """The address of a movie by its name, whatever it is, or by its number."""
    return f"/api/items/{name}" if _NUMBER.fullmatch(name) else f"/api/items/~/{quote(name, safe='')}"
