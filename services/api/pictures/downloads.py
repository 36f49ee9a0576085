"""Files of results for download, whole or in part."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import BinaryIO

import falcon
import falcon.asgi

from warpcore.services.api.errors import Problem
from warpcore.services.api.operations import operation
from warpcore.services.api.pictures.files import Identity, opened

CHUNK_BYTES = 1 << 20
_TYPES = {".png": "image/png", ".json": "application/json", ".xml": "application/xml", ".star": "text/plain"}
"""Images are bytes to a browser."""

download = partial(
    operation,
    media_types=("application/octet-stream",),
    also={206: "The bytes that were asked for."},
    request_headers={"Range": "`bytes=0-99`: a part of the file.", "If-Range": "Only while its `ETag` is this."},
)
"""`@download(errors=…)`: the operation of a method that answers with a file."""

NO_BYTES = {416: "There are no such bytes."}


async def send_output(req: falcon.asgi.Request, resp: falcon.asgi.Response, processing: Path, relative: str) -> None:
    """Answer with a file below the processing directory, or a part of it.

    Raises FileNotFoundError; Problem for a path that leads outside, an unreadable file, or an impossible range.
    """
    try:
        _send_file(req, resp, await asyncio.to_thread(opened, processing, relative))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Problem(falcon.HTTP_500, f"{relative} cannot be read: {error.strerror or error}") from None


def _send_file(req: falcon.asgi.Request, resp: falcon.asgi.Response, file: BinaryIO) -> None:
    """Answer with an open file, or with the part of it that `Range` asks for. Raises OSError, Problem 416.

    It stays open while it is sent, so that its replacement by another one changes nothing.
    """
    path = Path(file.name)
    with ExitStack() as unless_sent:
        unless_sent.callback(file.close)
        identity = Identity.of(file.fileno())
        resp.etag = identity.tag
        # A part of another file must not be put beside parts of this one.
        whole = req.if_range is not None and req.if_range.strip('"') != identity.tag
        first, length = (0, identity.size) if whole else _asked(req, identity.size)
        if length < identity.size:
            resp.status = falcon.HTTP_206
            resp.content_range = (first, first + length - 1, identity.size)
        resp.cache_control = ["no-cache"]
        resp.content_type = _TYPES.get(path.suffix, "application/octet-stream")
        resp.downloadable_as = path.name
        resp.set_header("Accept-Ranges", "bytes")
        resp.set_header("X-Content-Type-Options", "nosniff")
        resp.set_stream(_Chunks(file, first, length), length)
        unless_sent.pop_all()


def _asked(req: falcon.asgi.Request, size: int) -> tuple[int, int]:
    """First byte and number of bytes. Raises Problem 416 for a range beyond the end, or several."""
    if req.range is None or req.range_unit != "bytes":
        return 0, size
    first, last = req.range
    if first < 0:
        first = max(0, size + first)
    last = size - 1 if last < 0 else min(last, size - 1)
    if first > last:
        raise Problem(
            falcon.HTTP_416,
            f"the file has {size} bytes; there is nothing from byte {first} on",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return first, last - first + 1


class _Chunks:
    """A part of an open file, read in a thread; Falcon closes it."""

    def __init__(self, file: BinaryIO, first: int, length: int) -> None:
        self._file = file
        self._left = length
        file.seek(first)

    def __aiter__(self) -> _Chunks:
        return self

    async def __anext__(self) -> bytes:
        chunk = await asyncio.to_thread(self._file.read, min(CHUNK_BYTES, self._left))
        self._left -= len(chunk)
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def close(self) -> None:
        """Close the file."""
        self._file.close()
