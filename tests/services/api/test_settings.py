"""Settings over REST: shown, changed, and refused with every fault."""

from __future__ import annotations

import json

import pytest

from tests.services.api.rest_session import Api, problem

JSON = {"content-type": "application/json"}


def test_settings_are_changed_by_name_and_replaced_whole(api: Api) -> None:
    before = api.http.get("/api/settings").json()
    patched = api.http.patch("/api/settings", json={"filter": {"junk_max": 20}}).json()
    assert patched["filter"] == before["filter"] | {"junk_max": 20.0}
    assert api.http.get("/api/settings").json() == patched
    assert api.http.put("/api/settings", json=before).json() == before
    assert api.http.put("/api/settings", json={}).json()["filter"]["junk_max"] == 10.0


def test_each_bad_setting_is_told_and_nothing_changes(api: Api) -> None:
    before = api.http.get("/api/settings").json()
    bad = {"ctf": {"voltage": 1, "volts": 2}, "motion": {"b_factor": "much"}}
    errors = problem(api.http.patch("/api/settings", json=bad), 422)["errors"]
    assert {error["name"] for error in errors} == {"ctf.voltage", "ctf.volts", "motion.b_factor"}
    assert {error["name"]: error["value"] for error in errors}["ctf.voltage"] == 1
    assert "20" in next(error["problem"] for error in errors if error["name"] == "ctf.voltage")
    assert api.http.get("/api/settings").json() == before


def test_an_infinite_number_is_refused_in_an_answer_that_is_json(api: Api) -> None:
    for send, path in ((api.http.patch, "/api/settings"), (api.http.post, "/api/settings/preview")):
        answer = send(path, content=b'{"ctf": {"voltage": 1e400}}', headers=JSON)
        assert answer.status_code == 422
        (fault,) = json.loads(answer.content, parse_constant=pytest.fail)["errors"]
        assert (fault["name"], fault["value"]) == ("ctf.voltage", "inf")


def test_a_preview_says_what_would_run_and_changes_nothing(api: Api) -> None:
    before = api.http.get("/api/settings").json()
    effect = api.http.post("/api/settings/preview", json={"ctf": {"voltage": 200}}).json()
    assert effect["changed"] == ["ctf.voltage"]
    assert effect["movies"] == effect["runs"]["ctf"] == 3
    assert "motion" not in effect["runs"]
    assert api.http.get("/api/settings").json() == before
    assert problem(api.http.post("/api/settings/preview", json={"ctf": {"volts": 2}}), 422)["errors"]


def test_the_schema_has_unit_range_and_default_of_each_setting(api: Api) -> None:
    schema = api.http.get("/api/settings/schema").json()
    voltage = schema["$defs"]["CtfSettings"]["properties"]["voltage"]
    limits, _ = voltage["anyOf"]
    assert (voltage["default"], limits["minimum"], limits["maximum"]) == (None, 20, 2000)
    assert voltage["description"]
    current = api.http.get("/api/settings").json()
    assert set(schema["properties"]) == set(current)
    sections = {name: schema["$defs"][one["$ref"].rpartition("/")[2]] for name, one in schema["properties"].items()}
    defaults = {
        name: {key: one["default"] for key, one in section["properties"].items()} for name, section in sections.items()
    }
    assert {**defaults, "import": {**defaults["import"], "data": current["import"]["data"]}} == current


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[1]", JSON, 400),
        (b"null", JSON, 400),
        (b'{"ctf": {"cs": NaN}}', JSON, 400),
        (b'{"ctf": {"cs": 1e999}}', JSON, 422),
        (b'{"ctf": {"cs": 99999999999999999999999}}', JSON, 400),
        (b'{"ctf": "\\ud800"}', JSON, 400),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b"ctf.cs=2", {"content-type": "text/plain"}, 415),
        (b"{}", {}, 415),
        (b" " * 600_000, JSON, 413),
    ],
)
def test_bodies_that_are_no_settings_are_refused(
    api: Api, content: bytes, headers: dict[str, str], status: int
) -> None:
    before = api.http.get("/api/settings").json()
    problem(api.http.put("/api/settings", content=content, headers=headers), status)
    assert api.http.get("/api/settings").json() == before


def test_a_body_without_a_length_is_bounded_too(api: Api) -> None:
    chunks = iter([b" " * 100_000] * 6)
    problem(api.http.put("/api/settings", content=chunks, headers=JSON), 413)


def test_the_history_tells_who_changed_what(api: Api) -> None:
    voltage = api.http.get("/api/settings").json()["ctf"]["voltage"]
    api.http.patch("/api/settings?by=ada", json={"ctf": {"voltage": 120.0}}).raise_for_status()
    api.http.patch("/api/settings", json={"ctf": {"voltage": voltage}}).raise_for_status()
    back, ada = api.http.get("/api/settings/history?limit=2").json()
    assert (ada["by"], ada["changed"]) == ("ada", {"ctf.voltage": [voltage, 120.0]})
    assert (back["by"], back["changed"]) == ("api", {"ctf.voltage": [120.0, voltage]})
    assert ada["at"].endswith("Z")
    assert api.http.get(f"/api/settings/history?before={back['revision']}&limit=1").json() == [ada]
    problem(api.http.patch(f"/api/settings?by={'x' * 101}", json={}), 400)


def test_profiles_are_kept_read_and_deleted(api: Api) -> None:
    url = "/api/settings/profiles/Krios%201%3A%20%C2%B5"
    saved = api.http.put(url, json={"settings": {"ctf": {"voltage": 120.0}}, "by": "ada"}).json()
    assert (saved["name"], saved["by"], saved["settings"]["ctf"]["voltage"]) == ("Krios 1: µ", "ada", 120.0)
    assert api.http.get(url).json() == saved
    assert [one["name"] for one in api.http.get("/api/settings/profiles").json()["profiles"]] == ["Krios 1: µ"]
    present = api.http.put(url).json()["settings"]
    assert present["ctf"] == api.http.get("/api/settings").json()["ctf"]
    fault = problem(api.http.put(url, json={"settings": {"ctf": {"voltage": 1}}}), 422)
    assert fault["errors"][0]["name"] == "ctf.voltage"
    api.http.delete(url).raise_for_status()
    problem(api.http.get(url), 404)
    problem(api.http.delete(url), 404)
    problem(api.http.put(f"{url}%0A"), 404)
    assert api.http.put(url, json={"by": "ada\n"}).status_code == 422
