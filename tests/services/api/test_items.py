"""Movies over REST: listed, found, chosen, retried, put first."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.services.api.rest_session import COUNTS, Api, problem
from warpcore.services.api.views import camel
from warpcore.services.steps.chain import CHAIN


def test_items_are_listed_page_by_page(api: Api) -> None:
    names = []
    for page in (1, 2):
        listed = api.http.get("/api/items", params={"page": page, "pageSize": 3, "sort": "name"}).json()
        assert (listed["totalItems"], listed["page"], listed["pageSize"]) == (4, page, 3)
        names += [item["name"] for item in listed["items"]]
    assert names == ["a", "bad", "grid 2/µ%", "grid1/a"]


def test_items_can_be_chosen_by_status_and_sorted_by_results(api: Api) -> None:
    (failed,) = api.http.get("/api/items?status=failed").json()["items"]
    assert failed["name"] == "bad"
    assert failed["failure"] == {"kind": "input", "step": "load", "message": "bad.tif: not a movie", "host": "host"}
    by_defocus = api.http.get("/api/items?sort=-ctf.defocusUm&status=processed").json()
    assert by_defocus["totalItems"] == 3


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=x",
        "pageSize=1001",
        "status=done",
        "sort=;drop",
        "sort=defocus_um",
        "colour=red",
        "page=1&page=2",
        "page=²",
    ],
)
def test_parameters_that_cannot_be_are_named(api: Api, query: str) -> None:
    name = query.partition("=")[0]
    document = problem(api.http.get(f"/api/items?{query}"), 400)
    assert name in document["detail"]
    assert document["errors"][0]["name"] == name
    assert not re.search("[a-z]_[a-z]", document["errors"][0]["problem"].replace("filtered_out", ""))


def test_a_sort_key_that_is_not_there_is_told_with_those_that_are(api: Api) -> None:
    detail = problem(api.http.get("/api/items?sort=resolution"), 400)["detail"]
    assert "use one of added, name, status, " in detail
    assert "ctf.resolutionAngstrom" in detail


def test_every_column_has_one_name_over_rest(api: Api) -> None:
    assert len({camel(column.name) for column in CHAIN.columns}) == len(CHAIN.columns)
    for column in CHAIN.columns:
        assert api.http.get(f"/api/items?sort=-{camel(column.name)}").status_code == 200


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a", "a"),
        ("grid1/a", "grid1/a"),
        ("grid1%2Fa", "grid1/a"),
        ("grid1/a/", "grid1/a"),
        ("grid%202/%C2%B5%25", "grid 2/µ%"),
    ],
)
def test_an_item_is_found_under_its_name(api: Api, path: str, name: str) -> None:
    item = api.http.get(f"/api/items/{path}").json()
    assert item["name"] == name
    assert item["status"] == "processed"
    assert item["results"]["ctf"]["defocusUm"] == 1.25
    assert item["results"]["motion"]["meanFrameMovementAngstrom"] == 0.4
    assert item["fileModified"] == "2023-11-14T22:13:20Z"
    assert item["story"]


@pytest.mark.parametrize("path", ["nope", "grid1", "../etc/passwd", "%2e%2e%2fx", "a%00b", "x" * 3000])
def test_names_that_are_not_there_are_not_found(api: Api, path: str) -> None:
    problem(api.http.get(f"/api/items/{path}"), 404)


def test_the_users_own_choice_is_kept(api: Api) -> None:
    url = "/api/items/grid1/a/selection"
    assert api.http.put(url, json={"selection": "exclude"}).json()["selection"] == "exclude"
    assert api.http.get("/api/items/grid1/a").json()["selection"] == "exclude"
    assert api.http.put(url, json={"selection": "auto"}).json()["selection"] == "auto"
    assert problem(api.http.put(url, json={"selection": "maybe"}), 422)["errors"][0]["value"] == "maybe"
    assert problem(api.http.put(url, json={"choice": "auto"}), 422)["errors"][0]["name"] == "choice"
    assert "give one of auto" in problem(api.http.put(url, json={"selection": 1}), 422)["detail"]
    assert "give one of auto, exclude, include" in problem(api.http.put(url, json={}), 422)["detail"]
    problem(api.http.put("/api/items/nope/selection", json={"selection": "auto"}), 404)


def test_a_failed_movie_is_retried_and_a_processed_one_only_by_force(api: Api, wait_until: Callable[..., None]) -> None:
    assert api.http.post("/api/items/bad/retry").json()["status"] in ("unprocessed", "queued", "processing", "failed")
    problem(api.http.post("/api/items/a/retry"), 409)
    assert api.http.post("/api/items/a/retry", json={"force": True}).status_code == 200
    problem(api.http.post("/api/items/a/retry", json={"force": "yes"}), 422)
    problem(api.http.post("/api/items/nope/retry"), 404)
    wait_until(lambda: api.http.get("/api/processing/status").json()["itemsLeft"] == 0, what="both tried again")


def test_only_the_actions_that_exist_can_be_asked_of_an_item(api: Api) -> None:
    assert api.http.put("/api/items/a").headers["allow"] == "GET, HEAD"
    problem(api.http.post("/api/items/a"), 405)
    problem(api.http.put("/api/items//selection", json={"selection": "auto"}), 405)
    problem(api.http.delete("/api/items/a"), 405)


def test_summary_and_timestamp_move_with_changes(api: Api) -> None:
    before = api.http.get("/api/items/timestamp").json()
    api.http.put("/api/items/a/selection", json={"selection": "include"}).raise_for_status()
    after = api.http.get("/api/items/timestamp").json()
    assert after["seq"] > before["seq"]
    assert after["lastModified"] >= before["lastModified"]
    summary = api.http.get("/api/items/summary").json()
    assert summary["totalItems"] == 4
    assert after["seq"] <= summary["seq"] <= api.http.get("/api/items/timestamp").json()["seq"]
    assert set(summary["counts"]) == set(COUNTS)
