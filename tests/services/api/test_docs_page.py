"""The page that tells what REST does: complete, readable without a script, and with nothing from elsewhere."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.services.api.html_reader import Reader
from tests.services.api.rest_session import Api
from warpcore.services.api.docs_page import page


@pytest.fixture(scope="module")
def read(api: Api) -> Reader:
    return Reader(api.http.get("/api/docs").text)


def test_the_page_tells_every_request_parameter_type_and_field(api: Api, read: Reader) -> None:
    document = api.http.get("/api/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            assert f"{method.upper()} {path}" in read.text
            assert told["operationId"] in read.of("id")
            assert all(parameter["name"] in read.text for parameter in told["parameters"])
    for name, schema in document["components"]["schemas"].items():
        assert f"type-{name}" in read.of("id")
        assert all(field in read.text for field in schema.get("properties", ()))


def test_every_link_leads_somewhere_and_nothing_comes_from_elsewhere(api: Api, read: Reader) -> None:
    ids = read.of("id")
    assert len(set(ids)) == len(ids)
    for target in read.of("href") + read.of("src"):
        if target.startswith("#"):
            assert target[1:] in ids, target
        else:
            assert target.startswith("/")
            assert api.http.get(target).status_code == 200, target


def test_there_is_no_script_and_no_style_in_the_page_and_the_browser_is_told_so(api: Api, read: Reader) -> None:
    assert not {"script", "style"} & {tag for tag, _ in read.tags}
    assert not any(name == "style" or name.startswith("on") for _, attributes in read.tags for name in attributes)
    assert "; style-src 'self'" in api.http.get("/api/docs").headers["content-security-policy"]
    assert not re.search(r"url\(|@import", api.http.get("/api/docs/style.css").text)


def test_texts_of_the_document_are_shown_as_they_are() -> None:
    document: dict[str, Any] = {
        "info": {"title": "t", "version": "<1>", "description": "a < b & `c`"},
        "paths": {},
        "components": {"schemas": {"Odd": {"description": "</article><script>"}}},
    }
    text = page(document)
    assert "<script>" not in text
    read = Reader(text)
    assert "a < b & c" in read.text
    assert "</article><script>" in read.text
    assert "<code>c</code>" in text
