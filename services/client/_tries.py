"""Tries: movies that are processed aside with other settings."""

from __future__ import annotations

from typing import Any

from warpcore.services.api.views import Curves, Picks, Tracks, TriesView, TryView
from warpcore.services.client._requests import Requests, Settings, address, part


class Tries(Requests):
    """The part of a session's client that is about tries; `id` is one's name, such as `try-812`."""

    def start_try(self, name: str, settings: Settings, by: str = "") -> TryView:
        """Process a movie aside with these settings changed: `{"ctf": {"voltage": 200}}`."""
        return self._send("POST", f"{address(name)}/try", {"settings": settings, "by": by}, TryView)

    def tries(self, name: str | None = None) -> list[TryView]:
        """The tries that are kept, or those of a movie, the newest first, without their results."""
        return self._get("/api/tries", TriesView, {"name": name}).tries

    def try_(self, id: str) -> TryView:
        """A try with its results, or how far it is."""
        return self._get(f"/api/tries/{part(id)}", TryView)

    def delete_try(self, id: str) -> TryView:
        """Give a try up, or forget one that has ended; its files go."""
        return self._send("DELETE", f"/api/tries/{part(id)}", None, TryView)

    def try_picture(self, id: str, kind: str, **parameters: Any) -> bytes:
        """A picture of a try: `thumbnail`, `average`, `spectrum`, `motion`, `picks` or `junk`."""
        return self._http.get(f"/api/tries/{part(id)}/picture/{part(kind)}", parameters)

    def try_curves(self, id: str) -> Curves:
        """The CTF of a try in one dimension, and the whole fit."""
        return self._get(f"/api/tries/{part(id)}/curves", Curves)

    def try_tracks(self, id: str) -> Tracks:
        """Motion, frame by frame, as a try has measured it."""
        return self._get(f"/api/tries/{part(id)}/tracks", Tracks)

    def try_picks(self, id: str) -> Picks:
        """All scored candidates of a try, whatever the threshold."""
        return self._get(f"/api/tries/{part(id)}/picks", Picks)
