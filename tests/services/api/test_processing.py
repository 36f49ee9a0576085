"""Processing, workers and exports over REST."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.services.api.rest_session import Api, problem
from warpcore.bus import messages as m
from warpcore.bus.dealer import Dealer
from warpcore.bus.vocabulary import WorkerState
from warpcore.services.api.views import StatusView


def test_processing_is_paused_and_started(api: Api) -> None:
    assert api.http.post("/api/processing/pause").json()["isProcessing"] is False
    assert api.http.get("/api/processing/status").json()["isProcessing"] is False
    started = api.http.post("/api/processing/start").json()
    assert started["isProcessing"] is True
    assert started["totalItems"] == 4
    assert started["itemsLeft"] <= 4
    assert re.fullmatch(
        r"well: \d movies? (in the last hour, median .* Å|left, none done in the last hour)", started["summary"]
    )
    assert started["warnings"] == []
    assert started["ratePerHour"] is None or started["ratePerHour"] > 0
    assert started["processingDirectory"] == str(api.processing)


@pytest.mark.parametrize(
    ("is_processing", "holds", "backlog"), [(True, [], 12), (False, [], 3), (True, ["the disk is full"], 3)]
)
def test_the_backlog_is_what_workers_are_needed_for(is_processing: bool, holds: list[str], backlog: int) -> None:
    """Of 12 movies that are left 3 are with workers; the others are given away unless the session stands still."""
    status = m.ProcessingStatus(
        is_processing=is_processing,
        counts={"unprocessed": 7, "outdated": 2, "queued": 2, "processing": 1, "processed": 5},
        total=17,
        left=12,
        rate_per_hour=None,
        rate_window_s=3600.0,
        workers=1,
        running=[],
        seq=1,
        data_directory="/data",
        processing_directory="/processing",
        holds=holds,
    )
    assert StatusView.of_status(status).backlog == backlog


def test_the_backlog_holds_tries_and_exports_too() -> None:
    task = {"movie": "a", "worker": "w", "lease": 1, "purpose": "job-1", "step": "", "fraction": 0.0, "message": ""}
    body = {"is_processing": False, "counts": {}, "total": 2, "left": 0, "rate_per_hour": None, "rate_window_s": 60.0}
    body |= {"workers": 1, "running": [task], "seq": 1, "data_directory": "/d", "processing_directory": "/p"}
    assert StatusView.of_status(m.ProcessingStatus(**body, waiting=1)).backlog == 2


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
    problem(api.http.get(f"{response.headers['location']}/files/.warpcore/state.db"), 404)
    problem(api.http.get("/api/export/nope"), 404)
    problem(api.http.get("/api/export/nope/files/particles.star"), 404)
    problem(api.http.post("/api/export/micrographs", json={"options": {"colour": 1}}), 422)
    problem(api.http.post("/api/export/micrographs", json={"names": [1]}), 422)
    problem(api.http.post("/api/export/movies"), 405)


def test_the_order_of_processing_is_chosen(api: Api) -> None:
    url = "/api/processing/order"
    assert api.http.put(url, json={"order": "latest"}).json()["order"] == "latest"
    assert api.http.get("/api/processing/status").json()["order"] == "latest"
    assert "alternate" in problem(api.http.put(url, json={"order": "newest"}), 422)["detail"]
    problem(api.http.put(url, json={}), 422)
    assert api.http.put(url, json={"order": "normal"}).json()["order"] == "normal"


def test_export_jobs_are_listed_without_their_files(api: Api) -> None:
    response = api.http.post("/api/export/micrographs", json={"names": ["a"]})
    job = response.raise_for_status().json()["job"]
    (last,) = [one for one in api.http.get("/api/exports").json()["jobs"] if one["job"] == job]
    assert (last["kind"], last["total"], last["files"]) == ("micrographs", 1, [])
    api.http.delete(f"/api/export/{job}").raise_for_status()
    cancelled = api.http.get("/api/exports?state=cancelled").json()["jobs"]
    assert {one["state"] for one in cancelled} <= {"cancelled"}
    problem(api.http.get("/api/exports?state=lost"), 400)


def test_an_export_is_deleted_and_is_gone_from_the_list(api: Api, wait_until: Callable[..., None]) -> None:
    job = api.http.post("/api/export/micrographs", json={"names": ["a"]}).raise_for_status().json()
    url = f"/api/exports/{job['job']}"
    assert api.http.get(url).json()["folder"] == f"exports/{job['job']}"
    problem(api.http.get(f"{url}/particles.star"), 404)
    assert "has written no file" in problem(api.http.get(f"{url}/archive"), 409)["detail"]
    assert api.http.delete(url).json()["state"] == "deleting"
    wait_until(lambda: job["job"] not in [one["job"] for one in api.http.get("/api/exports").json()["jobs"]])
    problem(api.http.delete(url), 404)
    problem(api.http.get(f"{url}/archive"), 404)


def test_an_alarm_stands_until_it_is_acknowledged_and_said_so(api: Api, wait_until: Callable[..., None]) -> None:
    def alarms() -> list[dict[str, Any]]:
        """Those of this test: it may have been long since the discoverer was heard."""
        return [one for one in api.http.get("/api/alarms").json() if one["subject"] == "host/2"]

    problem(api.http.post("/api/alarms/acknowledge", json={"id": "worker-lost:host/1"}), 404)
    talker = Dealer(api.endpoints.workers, b"host/2", "host/2")
    talker.send(m.RegisterWorker("host/2", "i1", "host", os.getpid(), "cpu", 1024, {"jax": "1"}))
    talker.send(m.Heartbeat("host/2", WorkerState.IDLE, warnings=["the gain lies in the wrong orientation"]))
    wait_until(alarms, what="an alarm")
    (alarm,) = alarms()
    assert (alarm["severity"], alarm["acknowledged"]) == ("warning", False)
    assert alarm["text"] == "the gain lies in the wrong orientation"
    assert alarm["since"].endswith("Z")
    seen = api.http.post("/api/alarms/acknowledge", json={"id": alarm["id"]}).raise_for_status().json()
    assert [one["acknowledged"] for one in seen if one["id"] == alarm["id"]] == [True]
    talker.close()
