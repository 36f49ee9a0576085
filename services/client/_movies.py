"""Movies of a session: lists, choices, places."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from warpcore.bus.vocabulary import FailureKind, Selection
from warpcore.services.api.views import (
    ColumnView,
    ForgottenView,
    GroupView,
    ItemsPage,
    ItemView,
    MovieView,
    RetriedView,
    SelectedView,
    SelectionChangesView,
    SquaresView,
    SummaryView,
    TimestampView,
    UndoneView,
)
from warpcore.services.client._errors import ClientError
from warpcore.services.client._requests import Requests, address, given
from warpcore.services.client._series import Series

_GZIP = 16 + zlib.MAX_WBITS
_GZIP_MAGIC = b"\x1f\x8b"


class Movies(Requests):
    """The part of a session's client that is about many movies, and what is chosen of them."""

    def summary(self) -> SummaryView:
        """Counts by status, and the last change."""
        return self._get("/api/items/summary", SummaryView)

    def timestamp(self) -> TimestampView:
        """The last change alone: has anything changed?"""
        return self._get("/api/items/timestamp", TimestampView)

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
        return self._get(address(name), ItemView)

    def groups(self, *columns: str, filters: Sequence[str] = (), fields: Sequence[str] = ()) -> list[GroupView]:
        """Movies in groups of equal values of these columns; `fields` are columns whose medians are told."""
        query = {"by": ",".join(columns), "filter": filters, "fields": ",".join(fields)}
        return self._get("/api/groups", list[GroupView], query)

    def squares(self) -> SquaresView:
        """Squares and holes with how their movies are, and a verdict on each."""
        return self._get("/api/squares", SquaresView)

    def map(self, **parameters: str | int) -> bytes:
        """A PNG of where movies were recorded; `colour`, `square`, `width` and `height` as in docs/rest.md."""
        return self._http.get("/api/map.png", parameters)

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

    def undoable(self) -> SelectionChangesView:
        """The changes of selections that can be taken back."""
        return self._get("/api/selection", SelectionChangesView)

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
        return self._send("POST", "/api/retry", given(body), RetriedView)

    def forget(self, *filters: str, names: Sequence[str] = (), ids: Sequence[int] = (), by: str = "") -> ForgottenView:
        """Take failed movies out of the session: those named, and those that fit all filters."""
        body = {"filter": filters or None, "names": names, "ids": ids, "by": by}
        return self._send("POST", "/api/forget", body, ForgottenView)

    def process_first(self, name: str) -> ItemView:
        """Put a waiting movie ahead of all others."""
        return self._send("POST", f"{address(name)}/priority", {"first": True}, ItemView)

    def set_priority(self, name: str, priority: int) -> ItemView:
        """Let a waiting movie go before those of a lower priority; 0 is ordinary."""
        return self._send("POST", f"{address(name)}/priority", {"priority": priority}, ItemView)

    def _series(self, query: dict[str, str | int]) -> Series:
        data = self._http.get("/api/series", query, {"Accept-Encoding": "gzip"})
        try:
            return Series.decode(zlib.decompress(data, _GZIP) if data.startswith(_GZIP_MAGIC) else data)
        except zlib.error as error:
            raise ClientError(f"the API's answer cannot be unpacked ({error}); ask again") from None

    def _pages(self, query: dict[str, Any]) -> Iterator[Any]:
        cursor: str | None = None
        while True:
            page = self._get("/api/items", ItemsPage, {**query, "cursor": cursor})
            yield from page.items
            cursor = page.next_cursor
            if cursor is None:
                return
