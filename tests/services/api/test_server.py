"""The REST server: what is not there, other origins, many clients, a scheduler that dies."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import httpx

from tests.services.api.rest_session import Api, problem
from tests.waiting import crowd
from warpcore.bus.endpoints import Endpoints
from warpcore.services.api.http.options import HttpOptions
from warpcore.services.api.server_options import ServerOptions
from warpcore.services.process.logs import LogFormat
from warpcore.services.session.path_map import PathMap


def test_what_is_not_there_and_what_is_not_possible_are_told_apart(api: Api) -> None:
    assert "/api/nothing" in problem(api.http.get("/api/nothing"), 404)["detail"]
    problem(api.http.post("/api/settings"), 405)
    assert set(api.http.post("/api/settings").headers["allow"].split(", ")) >= {"GET", "PUT", "PATCH"}


def test_pages_of_other_origins_may_read_no_answer_and_change_nothing(api: Api) -> None:
    own = str(api.http.base_url)
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", "http://[", ""):
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
    assert time.monotonic() - begun < 10 * crowd()
    assert int(response.headers["retry-after"]) > 0
    assert str(api.endpoints.control_port) in document["detail"]
    problem(api.http.get("/api/nothing"), 404)
    api.restart_scheduler()
    api.wait()
    status = api.http.get("/api/processing/status").json()
    assert status["totalItems"] == 4
    assert status["isProcessing"] is True, "a request that was answered with 503 took effect later"


def test_all_that_servers_are_told_reaches_their_processes() -> None:
    http = HttpOptions(("https://a.example",), ("b.example", "c"), ("10.0.0.1",), Path("/c.pem"), Path("/k.pem"))
    told = ServerOptions(
        endpoints=Endpoints("gpu1", control_port=1, events_out_port=2),
        http=http,
        access=Path("/access"),
        key=Path("/api key.toml"),
        workers=3,
        paths=PathMap.of(["/gpfs/krios=/mnt/krios", "/gpfs/µ=/mnt/m"]),
        own_name="grid 1",
        log_format=LogFormat.JSON,
    )
    assert ServerOptions.of_argument(told.to_argument()) == told
    bare = ServerOptions(endpoints=Endpoints(), http=HttpOptions(), access=None)
    assert ServerOptions.of_argument(bare.to_argument()) == bare
