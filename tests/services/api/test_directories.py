"""Where the API looks for a session's files on a host that mounts its folders elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path

from warpcore.bus.messages import ProcessingStatus
from warpcore.bus.schema import Message
from warpcore.services.api.pictures.movies import Movies
from warpcore.services.session.path_map import PathMap


class There:
    """A scheduler whose host has the folders below /there."""

    paths = PathMap.of(["/there=/mnt/here"])

    async def request(self, message: Message, user: str = "") -> Message:
        return ProcessingStatus(True, {}, 0, 0, None, 60.0, 0, [], 0, "/there/movies", "/there/results")


def test_files_are_read_where_this_host_has_them_and_named_to_the_scheduler_as_its_own_does() -> None:
    movies = Movies(There())
    assert asyncio.run(movies.directories()) == (Path("/mnt/here/movies"), Path("/mnt/here/results"))
    assert asyncio.run(movies.named("picker/a.npz")) == "/there/results/picker/a.npz"
