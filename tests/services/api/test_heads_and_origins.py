"""HEAD wherever GET is, and what pages of other web sites may do."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.services.api.rest_session import ALLOWED_ORIGIN, Api
from warpcore.services.api.origins import is_origin

CHANGING = {
    *("/api/disk", "/api/health", "/api/metrics", "/api/processing/status", "/api/report", "/api/series"),
    "/api/workers",
}
"""What tells times, rates or room, whose length changes from one answer to the next, or is sent compressed."""


STREAMS = ("/api/events", "/api/squares/events")


def test_head_is_get_without_the_body_wherever_get_is(api: Api) -> None:
    document = api.http.get("/api/openapi.json").json()
    values = defaultdict(lambda: "none", name="grid1/a", worker="host/1", file="average/a.mrc")
    tried = 0
    for path, methods in document["paths"].items():
        if "get" not in methods or path in STREAMS:
            continue
        url = path.format_map(values)
        head, get = api.http.head(url), api.http.get(url)
        assert (head.status_code, head.content) == (get.status_code, b""), url
        assert head.headers["content-type"] == get.headers["content-type"]
        if path not in CHANGING:
            assert head.headers["content-length"] == str(len(get.content)), url
        tried += 1
    assert tried > 25


@pytest.mark.parametrize("path", STREAMS)
def test_head_of_a_stream_ends(api: Api, path: str) -> None:
    answer = api.http.head(path)
    assert answer.headers["content-type"] == "text/event-stream"
    assert "content-length" not in answer.headers


def test_options_tell_of_head(api: Api) -> None:
    for path in ("/api/items/grid1/a", "/api/alarms"):
        assert "HEAD" in api.http.options(path).headers["allow"]


def test_pages_of_an_allowed_origin_may_read_and_change(api: Api) -> None:
    theirs = {"Origin": ALLOWED_ORIGIN}
    for path in ("/api/health", "/api/items/grid1/a", "/api/nothing"):
        answer = api.http.get(path, headers=theirs)
        assert answer.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
        assert "Origin" in answer.headers["vary"]
        assert "ETag" in answer.headers["access-control-expose-headers"]
    assert api.http.post("/api/processing/start", headers=theirs).status_code == 200


@pytest.mark.parametrize("path", ["/api/settings", "/api/items/grid1/a/selection"])
def test_a_browser_is_told_before_it_sends_a_change(api: Api, path: str) -> None:
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
    allowed = api.http.options(path, headers={"Origin": ALLOWED_ORIGIN, **asked})
    assert allowed.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    assert "PUT" in allowed.headers["access-control-allow-methods"]
    assert "content-type" in allowed.headers["access-control-allow-headers"]
    other = api.http.options(path, headers={"Origin": "https://evil.example", **asked})
    assert not [name for name in other.headers if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://lab.example", True),
        ("http://[::1]:8080", True),
        ("*", False),
        ("https://*.example", False),
        ("https://lab.example/", False),
        ("lab.example", False),
        ("https://LAB.example", False),
    ],
)
def test_an_origin_is_what_browsers_send(text: str, is_one: bool) -> None:
    assert is_origin(text) is is_one
