"""Many movies by one request."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.api.rest_session import Api, problem
from warpcore.bus.limits import MOST_CHOSEN


def post(api: Api, path: str, **body: Any) -> dict[str, Any]:
    response = api.http.post(f"/api/{path}", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def selection(api: Api, name: str) -> str:
    chosen: str = api.http.get(f"/api/items/{name}").json()["selection"]
    return chosen


def test_many_are_selected_and_the_former_selections_come_back(api: Api) -> None:
    post(api, "selection", selection="include", names=["grid1/a"])
    done = post(api, "selection", selection="exclude", names=["a", "grid1/a"], by="ada")
    assert done["changed"] == 2
    newest = api.http.get("/api/selection").json()["changes"][0]
    assert (newest["undo"], newest["movies"], newest["by"]) == (done["undo"], 2, "ada")
    assert newest["at"].endswith("Z")
    api.http.put("/api/items/a/selection", json={"selection": "include"}).raise_for_status()
    assert post(api, "selection/undo", undo=done["undo"]) == {"changed": 1, "kept": 1}
    assert (selection(api, "a"), selection(api, "grid1/a")) == ("include", "include")
    problem(api.http.post("/api/selection/undo", json={"undo": done["undo"]}), 404)


def test_all_that_fit_a_filter_are_selected_as_the_list_shows_them(api: Api) -> None:
    query = {"filter": ["ctf.defocusUm:1..2", "name:grid*"]}
    listed = api.http.get("/api/items", params=query).json()["items"]
    assert len(listed) == 2
    done = post(api, "selection", selection="exclude", **query)
    assert done["changed"] == 2
    assert {selection(api, item["name"]) for item in listed} == {"exclude"}
    assert post(api, "selection/undo", undo=done["undo"])["changed"] == 2
    assert post(api, "selection", selection="exclude", filter=["status:queued", "name:nothing"])["changed"] == 0
    fault = problem(api.http.post("/api/selection", json={"selection": "auto", "filter": ["colour:red"]}), 422)
    assert fault["errors"][0]["name"] == "filter"


def test_more_than_a_message_takes_are_one_change(api: Api) -> None:
    count = MOST_CHOSEN + 10
    api.register(*(f"many/{number}.tif" for number in range(count)))
    names = [f"many/{number}" for number in range(count)]
    done = post(api, "selection", selection="exclude", names=names)
    assert done["changed"] == count
    assert post(api, "selection/undo", undo=done["undo"]) == {"changed": count, "kept": 0}
    post(api, "selection", selection="exclude", names=names)


def test_movies_are_selected_by_filters_that_all_hold(api: Api) -> None:
    names = {one["name"] for one in api.http.get("/api/items?status=processed&pageSize=1000").json()["items"]}
    wanted = ["status:processed", "name:*a", "ctf.resolutionAngstrom:3..4"]
    post(api, "selection", selection="auto", names=["a", "grid1/a"])
    done = post(api, "selection", selection="include", filter=wanted)
    assert {name for name in names if selection(api, name) == "include"} == {"a", "grid1/a"}
    assert done["changed"] == 2
    assert post(api, "selection", selection="include", filter=[*wanted, "name:nobody"])["changed"] == 0
    assert post(api, "selection/undo", undo=done["undo"])["changed"] == 2
    fault = problem(api.http.post("/api/selection", json={"selection": "auto", "filter": ["sharp:1..2"]}), 422)
    assert fault["errors"][0]["value"] == "sharp:1..2"


@pytest.mark.parametrize(
    "body",
    [
        {"selection": "maybe", "names": []},
        {},
        {"selection": "auto", "names": [1]},
        {"selection": "auto", "ids": ["a"]},
        {"selection": "auto", "ids": [True]},
        {"selection": "auto", "movies": []},
        {"selection": "auto", "filter": []},
    ],
)
def test_impossible_selections_are_refused(api: Api, body: dict[str, Any]) -> None:
    problem(api.http.post("/api/selection", json=body), 422)


def test_an_unknown_movie_or_a_long_author_is_refused(api: Api) -> None:
    problem(api.http.post("/api/selection", json={"selection": "auto", "names": ["nobody"]}), 404)
    problem(api.http.post("/api/selection", json={"selection": "auto", "by": "x" * 101}), 422)
    problem(api.http.post("/api/selection/undo", json={}), 422)


def test_a_choice_that_is_refused_in_part_changes_nothing(api: Api) -> None:
    post(api, "selection", selection="include", names=["a", "grid1/a"])
    id = api.http.get("/api/items/a").json()["id"]
    before = api.http.get("/api/selection").json()
    body = {"selection": "exclude", "ids": [id], "filter": ["name:grid1/a"], "names": ["nobody"]}
    assert "nobody" in problem(api.http.post("/api/selection", json=body), 404)["detail"]
    assert (selection(api, "a"), selection(api, "grid1/a")) == ("include", "include")
    assert api.http.get("/api/selection").json() == before


def test_failed_movies_are_forgotten_and_lists_no_longer_have_them(api: Api) -> None:
    api.register("lost/one.tif", "lost/one.mrc", "lost/one.eer")
    refused = post(api, "forget", names=["lost/one"], by="ada")
    assert (refused["forgotten"], refused["refused"][0]["name"]) == (0, "lost/one")
    assert post(api, "forget", names=["lost/one.mrc"]) == {"forgotten": 1, "refused": []}
    problem(api.http.get("/api/items/lost/one.mrc"), 404)
    listed = api.http.get("/api/items", params={"filter": "name:lost/*"}).json()["items"]
    assert [item["name"] for item in listed] == ["lost/one", "lost/one.eer"]
    assert post(api, "forget", filter=["name:lost/one.e*", "status:failed"])["forgotten"] == 1
    problem(api.http.post("/api/forget", json={"names": ["nobody"]}), 404)
    problem(api.http.post("/api/forget", json={"filter": ["colour:red"]}), 422)


def test_failed_movies_are_retried_by_kind_by_name_or_all(api: Api) -> None:
    assert post(api, "retry", kind="internal") == {"retried": 0, "refused": []}
    refused = post(api, "retry", names=["grid1/a"])
    assert (refused["retried"], refused["refused"][0]["name"]) == (0, "grid1/a")
    assert "not failed" in refused["refused"][0]["problem"]
    for body in ({"kind": "odd"}, {"filter": []}, {"filter": ["colour:red"]}):
        problem(api.http.post("/api/retry", json=body), 422)
    assert post(api, "retry", filter=["status:failed", "name:nothing"]) == {"retried": 0, "refused": []}
    assert post(api, "retry", filter=["status:failed"], kind="internal")["retried"] == 0
    (refused,) = post(api, "retry", filter=["name:grid1/a"])["refused"]
    assert "not failed" in refused["problem"]
    assert post(api, "retry", names=[])["retried"] == 0, "an empty list names no movie"
    assert post(api, "retry")["retried"] == 1
