"""One movie processed aside with other settings."""

from __future__ import annotations

from typing import Any

from tests.services.api.rest_session import Api, problem
from tests.waiting import wait_until


def ended(api: Api, address: str) -> dict[str, Any]:
    """The try once it has ended."""
    attempt: dict[str, Any] = {}

    def has_ended() -> bool:
        attempt.update(api.http.get(address).raise_for_status().json())
        return attempt["state"] in ("done", "failed")

    wait_until(has_ended, what=lambda: f"the end of {attempt}")
    return attempt


def test_a_try_shows_its_results_and_leaves_the_session_as_it_is(api: Api) -> None:
    before = api.http.get("/api/items/grid1/a").json()
    settings = {"ctf": {"range_max": 5.0}, "filter": {"resolution_max": 3.0}}
    asked = api.http.post("/api/items/grid1%2Fa/try", json={"settings": settings, "by": "ada"})
    assert asked.status_code == 202
    done = ended(api, asked.headers["location"])
    assert (done["name"], done["state"], done["by"], done["settings"]) == ("grid1/a", "done", "ada", settings)
    assert done["results"]["ctf"]["resolutionAngstrom"] == 3.8
    assert done["filterReasons"] == ["resolution 3.8 Å is above 3"]
    assert done["folder"] == f".warpcore/tries/{done['id']}"
    assert api.http.get("/api/items/grid1/a").json() == before
    assert done["id"] in [one["id"] for one in api.http.get("/api/tries?name=grid1/a").json()["tries"]]
    assert api.http.get("/api/tries?name=bad").json() == {"tries": []}
    assert api.http.delete(f"/api/tries/{done['id']}").json()["id"] == done["id"]
    problem(api.http.get(f"/api/tries/{done['id']}"), 404)
    problem(api.http.delete(f"/api/tries/{done['id']}"), 404)


def test_a_try_tells_why_it_failed(api: Api) -> None:
    asked = api.http.post("/api/items/bad/try", json={"settings": {}})
    failed = ended(api, asked.headers["location"])
    assert (failed["state"], failed["failure"]["kind"]) == ("failed", "input")
    assert "not a movie" in failed["failure"]["message"]


def test_impossible_tries_are_refused(api: Api) -> None:
    fault = problem(api.http.post("/api/items/a/try", json={"settings": {"ctf": {"voltage": 1}}}), 422)
    assert fault["errors"][0]["name"] == "ctf.voltage"
    problem(api.http.post("/api/items/a/try", json={}), 422)
    problem(api.http.post("/api/items/nobody/try", json={"settings": {}}), 404)
