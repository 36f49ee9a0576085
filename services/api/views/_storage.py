"""The session's directories and its own files."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from warpcore.services.api.views._naming import Count, View


class DiskView(View, frozen=True):
    """Room in a directory's file system."""

    directory: Annotated[str, Meta(description="`data` or `processing`.")]
    path: str
    free_bytes: Annotated[Count | None, Meta(description="null: the directory is not there, or does not answer.")]
    total_bytes: Count | None


class SessionFile(View, frozen=True):
    """A file that lists all movies."""

    name: str
    bytes: Count
    description: str
    url: str
