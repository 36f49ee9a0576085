"""Processing, workers and exports over REST."""

from __future__ import annotations

from tests.services.api.rest_session import Api, problem


def test_processing_is_paused_and_started(api: Api) -> None:
    assert api.http.post("/api/processing/pause").json()["isProcessing"] is False
    assert api.http.get("/api/processing/status").json()["isProcessing"] is False
    started = api.http.post("/api/processing/start").json()
    assert started["isProcessing"] is True
    assert started["totalItems"] == 4
    assert started["itemsLeft"] <= 4
    assert started["warnings"] == []
    assert started["ratePerHour"] is None or started["ratePerHour"] > 0
    assert started["processingDirectory"] == str(api.processing)


def test_how_long_movies_took_is_told_by_movie_and_for_the_last_ones(api: Api) -> None:
    run = api.http.get("/api/items/a").json()["results"]["run"]
    assert run["worker"] == "host/1"
    assert run["foundAt"] <= run["readyAt"] <= run["assignedAt"] <= run["doneAt"]
    latency = {one.pop("stage"): one for one in api.http.get("/api/processing/status").json()["latency"]}
    assert list(latency)[-2:] == ["at_worker", "latency"]
    assert latency["latency"]["movies"] >= 1
    assert 0 <= latency["latency"]["medianSeconds"] <= latency["latency"]["p90Seconds"]


def test_workers_are_shown_with_their_last_lines(api: Api) -> None:
    (worker,) = api.http.get("/api/workers").json()["workers"]
    assert (worker["id"], worker["device"], worker["deviceMemoryMb"]) == ("host/1", "cpu", 1024)
    assert worker["versions"] == {"jax": "1"}
    lines = api.http.get("/api/workers/host%2F1/logs").json()["lines"]
    assert "hello" in [line["text"] for line in lines]
    number = lines[-1]["number"]
    assert api.http.get(f"/api/workers/host/1/logs?after={number}").json()["lines"] == []
    problem(api.http.get("/api/workers/nobody/logs"), 404)
    problem(api.http.get("/api/workers/host/1"), 404)
    problem(api.http.get("/api/workers/host/1/logs?limit=-1"), 400)
    problem(api.http.get("/api/workers/host/1/logs?limit=1001"), 400)


def test_an_export_is_a_job_that_can_be_followed_and_given_up(api: Api) -> None:
    response = api.http.post("/api/export/micrographs", json={"options": {"deconvolution": True}, "names": ["a"]})
    assert response.status_code == 202, response.text
    job = response.json()
    assert job["kind"] == "micrographs"
    assert job["total"] == 1
    followed = api.http.get(response.headers["location"]).json()
    assert followed["job"] == job["job"]
    assert api.http.delete(response.headers["location"]).json()["state"] in ("cancelled", "done", "collecting")
    problem(api.http.get("/api/export/nope"), 404)
    problem(api.http.post("/api/export/micrographs", json={"options": {"colour": 1}}), 422)
    problem(api.http.post("/api/export/micrographs", json={"names": [1]}), 422)
    problem(api.http.post("/api/export/movies"), 405)
