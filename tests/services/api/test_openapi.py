"""The OpenAPI document: what it says is what the real application with a real scheduler behind it does."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import openapi_spec_validator
import pytest

from tests.services.api.by_schemathesis import session_to_try, try_operations
from tests.services.api.rest_session import Api, problem
from warpcore.bus.vocabulary import MovieStatus


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[Api]:
    with session_to_try(tmp_path_factory.mktemp("openapi"), free_ports(5)) as session:
        yield session


def test_the_document_is_openapi_3_1(api: Api) -> None:
    document = api.http.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    openapi_spec_validator.validate(document)


def test_everything_in_the_document_says_what_it_is(api: Api) -> None:
    document = api.http.get("/api/openapi.json").json()
    operations = [(f"{method} {path}", one) for path, all in document["paths"].items() for method, one in all.items()]
    assert len({one["operationId"] for _, one in operations}) == len(operations)
    for place, one in operations:
        assert re.fullmatch(r".{10,}[.?]", one["summary"]), place
        for parameter in one["parameters"]:
            assert parameter["description"], f"{place} {parameter['name']}"
    schemas = document["components"]["schemas"]
    assert not [name for name in schemas if "." in name], "two types of one name: both are told by their modules"
    voltage = schemas["CtfSettings"]["properties"]["voltage"]
    assert voltage["unit"] == "kV"
    assert "µm" in schemas["CtfResult"]["properties"]["defocusUm"]["description"]
    assert all(word.meaning in schemas["MovieStatus"]["description"] for word in MovieStatus)


def test_every_answer_is_as_the_document_says(api: Api, tmp_path: Path) -> None:
    # Four inputs of each operation, the same each day, beside those at the edges of what its types allow.
    options = ("--phases", "coverage,fuzzing", "--max-examples", "4", "--seed", "11")
    done = try_operations(api, tmp_path, *options, timeout_s=540)
    assert done.returncode == 0, done.stdout + done.stderr
    tried = re.search(r"Selected: (\d+)/\1\s+Tested: \1\s", done.stdout)
    assert tried, f"some operations were not tried:\n{done.stdout}"
    problem(api.http.get("/api/nothing"), 404)


@pytest.mark.parametrize("word", ["summary", "timestamp"])
def test_no_word_hides_a_movie_of_that_name(api: Api, word: str) -> None:
    api.register(f"{word}.tif")
    number = next(one["id"] for one in api.http.get("/api/items").json()["items"] if one["name"] == word)
    assert api.http.get(f"/api/items/~/{word}").json()["id"] == number
    assert api.http.get(f"/api/items/~{number}").json()["name"] == word
    chosen = api.http.put(f"/api/items/~/{word}/selection", json={"selection": "exclude"}).json()
    assert (chosen["id"], chosen["selection"]) == (number, "exclude")
    assert "totalItems" in api.http.get("/api/items/summary").json()
