"""The live page: `/` and the built files that it names, under `/page/`. Its sources are in `page/`."""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import falcon
import falcon.asgi

from warpcore.services.api.http.headers import NOTHING

INDEX = "index.html"
BUILT_PAGE = Path(__file__).parent / "page" / "dist"

NOT_BUILT = (
    "The live page is not built, since npm packages could not be had when warpcore was installed; run "
    "`pip install -e .` in the clone where they can be, and start warpcore again. The REST interface is at /api.\n"
)

CONTENT_POLICY = f"{NOTHING}; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'"
"""What a browser may load for the page: files of this server, and nothing inside index.html itself."""

_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".html": falcon.MEDIA_HTML}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A built file as it is sent: plain, and compressed by gzip."""

    content_type: str
    plain: bytes
    compressed: bytes

    def write(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Answer with it, compressed where the client takes that."""
        resp.content_type = self.content_type
        resp.set_header("Vary", "Accept-Encoding")
        if "gzip" in (req.get_header("Accept-Encoding") or ""):
            resp.set_header("Content-Encoding", "gzip")
            resp.data = self.compressed
        else:
            resp.data = self.plain


def read_page(folder: Path = BUILT_PAGE) -> dict[str, PageFile]:
    """The built files by name; empty where the page is not built."""
    if not (folder / INDEX).is_file():
        return {}
    return {path.name: _read_file(path) for path in sorted(folder.iterdir())}


class IndexResource:
    """`GET /`."""

    def __init__(self, page: Mapping[str, PageFile]) -> None:
        self._index = page.get(INDEX)

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """The page, or one line that says how to build it."""
        resp.cache_control = ["no-cache"]
        if self._index is None:
            resp.status = falcon.HTTP_503
            resp.content_type = falcon.MEDIA_TEXT
            resp.text = NOT_BUILT
            return
        resp.set_header("Content-Security-Policy", CONTENT_POLICY)
        self._index.write(req, resp)


class PageFileResource:
    """`GET /page/{name}`: a name holds a hash of the content, so a browser keeps the file for ever."""

    def __init__(self, page: Mapping[str, PageFile]) -> None:
        self._files = {name: file for name, file in page.items() if name != INDEX}

    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response, name: str) -> None:
        """The file. Raises HTTPNotFound for any other name."""
        if name not in self._files:
            raise falcon.HTTPNotFound()
        resp.cache_control = ["public", "max-age=31536000", "immutable"]
        self._files[name].write(req, resp)


def routes(page: Mapping[str, PageFile]) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {"/": IndexResource(page), "/page/{name}": PageFileResource(page)}


def _read_file(path: Path) -> PageFile:
    content = path.read_bytes()
    guessed = mimetypes.guess_type(path.name)[0] or falcon.MEDIA_TEXT
    return PageFile(_TYPES.get(path.suffix, guessed), content, gzip.compress(content, mtime=0))
