"""REST as a client sees it: gunicorn, the scheduler and what a worker reports are real processes and sockets."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from warpcore.bus import messages as m
from warpcore.bus.client import RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.schema import read_message

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]
SCHEDULER_START_S = 20.0
JSON = {"content-type": "application/json"}


class Api:
    """A scheduler and an API as processes, and clients of both."""

    def __init__(self, folder: Path, ports: list[int]) -> None:
        self.endpoints = Endpoints("127.0.0.1", *ports[:4])
        self.rest_port = ports[4]
        self.processing = folder / "results"
        (folder / "movies").mkdir()
        names = ("--controller-port", "--control-port", "--events-in-port", "--events-out-port")
        options = [text for name, port in zip(names, ports, strict=False) for text in (name, str(port))]
        self._scheduler_command = [
            *(*WARPCORE, "scheduler", "--data", str(folder / "movies"), "--processing", str(self.processing)),
            *options,
        ]
        self.scheduler = subprocess.Popen(self._scheduler_command)
        self.server = subprocess.Popen(
            [*WARPCORE, "api", "--control-port", str(self.endpoints.control_port), "--port", str(self.rest_port)]
        )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.rest_port}", timeout=30)
        self.control = RequestClient(self.endpoints.control, "test", timeout_s=SCHEDULER_START_S, attempts=1)

    def restart_scheduler(self) -> None:
        """Start it again after it was killed."""
        self.scheduler = subprocess.Popen(self._scheduler_command)

    def wait(self) -> None:
        """Until a request goes all the way."""
        deadline = time.monotonic() + SCHEDULER_START_S
        while time.monotonic() < deadline:
            try:
                if self.http.get("/api/health").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        pytest.fail("the API did not come up")

    def register(self, *paths: str) -> None:
        """Register movies, as the discoverer does."""
        self.control.request(m.RegisterFiles([m.FoundFile(path, 1000, 1_700_000_000_000_000_000) for path in paths]))

    def close(self) -> None:
        """End both, by id."""
        self.control.close()
        self.http.close()
        for process in (self.server, self.scheduler):
            process.terminate()
        for process in (self.server, self.scheduler):
            process.wait(10)


RESULTS = {
    "motion": {"skipped": False, "mean_frame_movement_angstrom": 0.4, "accumulated_total_angstrom": 12.5},
    "ctf": {"defocus_um": 1.25, "defocus_delta_um": 0.05, "resolution_angstrom": 3.8, "failure": None},
    "picking": {"count": 7},
    "export": {"average": "average/a.mrc"},
}


class WireWorker:
    """Speaks a worker's part of the protocol: fails movies named `bad…`, reports fixed results for all others."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.name = "host/1"
        self._dealer = Dealer(endpoints.workers, self.name.encode(), self.name)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop working, without a word."""
        self._stop.set()
        self._thread.join()
        self._dealer.close()

    def _run(self) -> None:
        register = m.RegisterWorker(self.name, "i1", "host", os.getpid(), "cpu", 1024, {"jax": "1"})
        self._dealer.send(register)
        self._dealer.send(m.WorkerLog(self.name, [{"level": "info", "text": "hello", "ts": 1.5}]))
        self._dealer.send(m.PullTasks(self.name, 2))
        while not self._stop.is_set():
            if self._dealer.socket.poll(20):
                for envelope in self._dealer.receive():
                    self._heard(read_message(envelope.type, envelope.body))

    def _heard(self, message: object) -> None:
        if not isinstance(message, m.AssignTask):
            return
        if Path(message.path).name.startswith("bad"):
            self._dealer.send(m.TaskFailed(self.name, message.lease, "input", "load", f"{message.path}: not a movie"))
            return
        self._dealer.send(m.CommitTask(self.name, message.lease))
        results = {step: RESULTS[step] for step in message.run}
        done = m.TaskFinished(self.name, message.lease, message.run, results, {step: [] for step in message.run})
        self._dealer.send(done)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A session with four movies, two of them in sub-folders, all but one processed."""
    sockets = [socket.socket() for _ in range(5)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    session = Api(tmp_path_factory.mktemp("api"), ports)
    session.wait()
    session.register("a.tif", "grid1/a.tif", "grid 2/µ%.tif", "bad.tif")
    worker = WireWorker(session.endpoints)
    deadline = time.monotonic() + 10
    while session.http.get("/api/processing/status").json()["counts"] != COUNTS | {"failed": 1, "processed": 3}:
        assert time.monotonic() < deadline, session.http.get("/api/processing/status").text
    yield session
    worker.close()
    session.close()


COUNTS = dict.fromkeys(("unprocessed", "outdated", "queued", "processing", "processed", "filtered_out", "failed"), 0)


def problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of an error, which must be well-formed."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    assert "Traceback" not in response.text
    return document


# --- items -------------------------------------------------------------------------------------------------------


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
    ["page=0", "page=x", "pageSize=100000", "status=done", "sort=;drop", "colour=red", "page=1&page=2", "page=²"],
)
def test_parameters_that_cannot_be_are_named(api: Api, query: str) -> None:
    name = query.partition("=")[0]
    document = problem(api.http.get(f"/api/items?{query}"), 400)
    assert name in document["detail"]
    assert document["errors"][0]["name"] == name


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
    problem(api.http.put("/api/items/nope/selection", json={"selection": "auto"}), 404)


def test_a_failed_movie_is_retried_and_a_processed_one_only_by_force(api: Api) -> None:
    assert api.http.post("/api/items/bad/retry").json()["status"] in ("unprocessed", "queued", "processing", "failed")
    problem(api.http.post("/api/items/a/retry"), 409)
    assert api.http.post("/api/items/a/retry", json={"force": True}).status_code == 200
    problem(api.http.post("/api/items/a/retry", json={"force": "yes"}), 422)
    problem(api.http.post("/api/items/nope/retry"), 404)


def test_only_the_actions_that_exist_can_be_asked_of_an_item(api: Api) -> None:
    assert api.http.put("/api/items/a").headers["allow"] == "GET"
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
    assert summary["seq"] == after["seq"]
    assert set(summary["counts"]) == set(COUNTS)


# --- settings ----------------------------------------------------------------------------------------------------


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


# --- processing, workers, export ---------------------------------------------------------------------------------


def test_processing_is_paused_and_started(api: Api) -> None:
    assert api.http.post("/api/processing/pause").json()["isProcessing"] is False
    assert api.http.get("/api/processing/status").json()["isProcessing"] is False
    started = api.http.post("/api/processing/start").json()
    assert started["isProcessing"] is True
    assert started["totalItems"] == 4
    assert started["warnings"] == []
    assert started["ratePerHour"] is None or started["ratePerHour"] > 0
    assert started["processingDirectory"] == str(api.processing)


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


# --- the server --------------------------------------------------------------------------------------------------


def test_what_is_not_there_and_what_is_not_possible_are_told_apart(api: Api) -> None:
    assert "/api/nothing" in problem(api.http.get("/api/nothing"), 404)["detail"]
    problem(api.http.post("/api/settings"), 405)
    assert set(api.http.post("/api/settings").headers["allow"].split(", ")) >= {"GET", "PUT", "PATCH"}


def test_pages_of_other_origins_may_read_no_answer_and_change_nothing(api: Api) -> None:
    own = str(api.http.base_url)
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        problem(api.http.post("/api/processing/pause", headers={"Origin": origin}), 403)
    assert api.http.get("/api/processing/status").json()["isProcessing"] is True
    assert api.http.post("/api/processing/start", headers={"Origin": own.rstrip("/")}).status_code == 200
    shown = api.http.get("/api/health", headers={"Origin": "http://evil.example"})
    assert "access-control-allow-origin" not in shown.headers


def test_health_tells_of_both(api: Api) -> None:
    health = api.http.get("/api/health").json()
    assert health["status"] == "ok"
    assert health["scheduler"]["movies"] == 4
    assert "falcon" in health["api"]["versions"]


def test_many_clients_at_once_are_all_answered(api: Api) -> None:
    answers: list[int] = []

    def read() -> None:
        with httpx.Client(base_url=api.http.base_url, timeout=30) as client:
            answers.extend(client.get("/api/items").json()["totalItems"] for _ in range(10))

    readers = [threading.Thread(target=read) for _ in range(8)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert answers == [4] * 80


def test_without_a_scheduler_it_says_so_and_goes_on_when_it_is_back(api: Api) -> None:
    api.scheduler.send_signal(signal.SIGKILL)
    api.scheduler.wait()
    begun = time.monotonic()
    response = api.http.post("/api/processing/pause")
    document = problem(response, 503)
    assert time.monotonic() - begun < 10
    assert int(response.headers["retry-after"]) > 0
    assert str(api.endpoints.control_port) in document["detail"]
    problem(api.http.get("/api/nothing"), 404)
    api.restart_scheduler()
    api.wait()
    status = api.http.get("/api/processing/status").json()
    assert status["totalItems"] == 4
    assert status["isProcessing"] is True, "a request that was answered with 503 took effect later"
