"""What there is of one movie: pictures, data, files, picks by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from warpcore.services.api.views import Curves, Edits, Index, Picks, Tracks
from warpcore.services.client._requests import Requests, address

Place = tuple[float, float]
"""Column and row on the average, px; the centre of pixel 0 is 0."""


class Results(Requests):
    """The part of a session's client that is about one movie's results."""

    def log(self, name: str) -> dict[str, Any]:
        """A movie's story, and the workers' last lines that name it, as `Log` in docs/rest.md."""
        return self._get(f"{address(name)}/log", dict[str, Any])

    def pictures(self, name: str) -> Index:
        """What pictures and files there are of a movie."""
        return self._get(f"{address(name)}/pictures", Index)

    def picture(self, name: str, kind: str, **parameters: str | int) -> bytes:
        """A picture of a movie: `thumbnail`, `average`, `spectrum`, `motion`, `picks` or `junk`."""
        return self._http.get(f"{address(name)}/picture/{kind}", parameters)

    def curves(self, name: str) -> Curves:
        """The CTF in one dimension, and the whole fit."""
        return self._get(f"{address(name)}/curves", Curves)

    def tracks(self, name: str) -> Tracks:
        """Motion, frame by frame."""
        return self._get(f"{address(name)}/tracks", Tracks)

    def picks(self, name: str) -> Picks:
        """All scored candidates, whatever the threshold."""
        return self._get(f"{address(name)}/picks", Picks)

    def hand_picks(self, name: str) -> Edits:
        """A person's own edits of a movie's picks."""
        return self._get(f"{address(name)}/picks/hand", Edits)

    def set_hand_picks(self, name: str, *, added: Sequence[Place] = (), removed: Sequence[Place] = ()) -> Edits:
        """Replace these edits, all at once: picks to add, and picks of the picker's to remove, px of the average."""
        return self._send("PUT", f"{address(name)}/picks/hand", {"added": added, "removed": removed}, Edits)

    def undo_hand_picks(self, name: str) -> Edits:
        """Bring the edits before the present ones back."""
        return self._send("POST", f"{address(name)}/picks/hand/undo", None, Edits)

    def file(self, name: str, path: str, first: int = 0, last: int | None = None) -> bytes:
        """A file of a movie, or its bytes from `first` to `last`; `path` is one of those that `pictures` lists."""
        part = first > 0 or last is not None
        headers = {"Range": f"bytes={first}-{'' if last is None else last}"} if part else {}
        return self._http.get(f"{address(name)}/files/{quote(path)}", headers=headers)

    def download(self, name: str, path: str, to: Path) -> None:
        """Write a file of a movie to `to`, which appears once it is whole. Raises OSError."""
        self._download(f"{address(name)}/files/{quote(path)}", to)
