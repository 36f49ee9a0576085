"""Numbers that JSON does not know, and values without end: no answer holds them, and none is endless itself."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NoReturn

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.api.rest_session import Api, problem
from warpcore.cli import output
from warpcore.services.api.bodies import parse_object
from warpcore.services.api.errors import MOST_FAULTS, Problem
from warpcore.services.api.live.frames import frame

ODD_IN_BODIES = [
    *("1e999", "-1e999", "NaN", "Infinity", "-Infinity", "9" * 400, "1" * 5000, "[1e999]", '{"a": {"b": [-1e999]}}'),
    *('"NaN"', '"Infinity"', "1e308", '"' + "x" * 300_000 + '"', "[" * 20_000, "[" + "0," * 100_000 + "0]"),
]
ODD_IN_QUERIES = [
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "1e999",
    "-1e999",
    "9" * 400,
    "x" * 3000,
    "%00",
    "nan..",
    "a:inf..nan",
]
LONGEST_PROBLEM = 400_000
"""Bytes: each of `MOST_FAULTS` faults with the longest name, value and problem."""


def strictly(text: bytes) -> Any:
    """JSON as the standard knows it; a number that becomes infinite is none."""

    def number(told: str) -> float:
        found = float(told)
        assert abs(found) < float("inf"), told
        return found

    def constant(told: str) -> NoReturn:
        raise AssertionError(f"{told} is no JSON")

    return json.loads(text, parse_constant=constant, parse_float=number)


def checked(answer: httpx.Response, asked: str) -> None:
    """An answer is no error of ours, and JSON where it says so; what is refused is told in bounded words."""
    assert answer.status_code < 500 or answer.status_code == 503, f"{asked}: {answer.text[:500]}"
    if "json" in answer.headers["content-type"]:
        strictly(answer.content)
    if answer.status_code >= 400:
        assert len(answer.content) < LONGEST_PROBLEM, asked


def operations(api: Api) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Method, path, what it takes, all schemas."""
    document = api.http.get("/api/openapi.json").json()
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            place = path.replace("{name}", "grid1/a").replace("{job}", "1").replace("{worker}", "host/1")
            yield method.upper(), place, told, document["components"]["schemas"]


def test_odd_numbers_in_bodies(api: Api) -> None:
    tried = 0
    for method, path, told, schemas in operations(api):
        if "requestBody" not in told:
            continue
        (content,) = told["requestBody"]["content"].values()
        schema = schemas[content["schema"].get("$ref", "").rpartition("/")[2]]
        fields = list(schema.get("properties", {})) or ["anything"]
        values = itertools.cycle(ODD_IN_BODIES)
        for field in [*fields, *fields[:1] * len(ODD_IN_BODIES)]:
            body = f"{{{json.dumps(field)}: {next(values)}}}"
            answer = api.http.request(method, path, content=body, headers={"Content-Type": "application/json"})
            checked(answer, f"{method} {path} {body[:80]}")
            tried += 1
    assert tried > 200


@pytest.mark.parametrize("number", ["1e999", "[null, -1e999]"])
@pytest.mark.parametrize("place", ['{"ctf": {"voltage": %s}}', '{"filter": {"limits": {"ctf.ice_ring": %s}}}'])
def test_infinite_settings_are_refused_before_the_scheduler_sees_them(api: Api, place: str, number: str) -> None:
    before = api.http.get("/api/settings").content
    answer = api.http.patch("/api/settings", content=place % number, headers={"Content-Type": "application/json"})
    (fault,) = problem(answer, 422)["errors"]
    assert fault["name"].startswith(("ctf.voltage", "filter.limits"))
    assert fault["problem"] == "is too large for a number"
    assert api.http.get("/api/settings").content == before


def test_odd_values_in_queries(api: Api) -> None:
    tried = 0
    for method, path, told, _ in operations(api):
        streams = "text/event-stream" in told["responses"].get("200", {}).get("content", {})
        values = itertools.cycle(ODD_IN_QUERIES)
        for one in told["parameters"]:
            if method != "GET" or streams or one["in"] != "query":
                continue
            for odd in itertools.islice(values, 3):
                checked(api.http.get(f"{path}?{one['name']}={odd}"), f"{path} {one['name']}={odd[:50]}")
                tried += 1
    assert tried > 100


def test_faults_without_end_are_told_in_few(api: Api) -> None:
    body = {f"field{number}" + "x" * 20: number for number in range(10_000)}
    for method, path in (("POST", "/api/selection"), ("PATCH", "/api/settings"), ("POST", "/api/settings/preview")):
        answer = api.http.request(method, path, json=body)
        document = problem(answer, 422)
        assert 0 < len(document["errors"]) <= MOST_FAULTS
        assert len(answer.content) < LONGEST_PROBLEM
        assert len(document["detail"]) < 5000


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_what_is_sent_and_printed_is_json_whatever_was_measured(
    number: float, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"results": {"ctf": [number, {"resolution": number}]}}
    event = frame("movie.done", body, "1:2")
    output.json_line(body)
    output.as_json(body)
    line, _, document = capsys.readouterr().out.partition("\n")
    for text in (event.partition(b"data: ")[2], line.encode(), document.encode()):
        assert strictly(text) == {"results": {"ctf": [None, {"resolution": None}]}}


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.just(float("1e308") * 10),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=5), inside, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), _json, max_size=4))
def test_what_is_read_of_a_body_can_be_written_as_json_again(value: dict[str, Any]) -> None:
    text = json.dumps(value).replace("Infinity", "1e999")
    with suppress(Problem):
        json.dumps(parse_object(text.encode()), allow_nan=False)
