"""`warpcore up` as a whole: real services, killed and ended in all the ways that happen."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.own_token import OwnToken
from tests.ports import free_ports_of_loopback
from tests.waiting import crowd, wait_until
from warpcore.services.access.places import Access
from warpcore.services.client import ApiError, Session

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]
LONGEST_END_S = 10.0
HANGS_S = 400.0
"""What takes longer will not end, however busy the machine is."""
Wait = Callable[..., None]


class Up:
    """A running `warpcore up` without workers."""

    def __init__(self, folder: Path, ports: list[int], *arguments: str, log: str = "up.log") -> None:
        (folder / "movies").mkdir(exist_ok=True)
        self.folder = folder
        self.log = folder / log
        self.rest_port, self.control_port, self.events_out_port = str(ports[0]), str(ports[2]), str(ports[4])
        names = ("--port", "--controller-port", "--control-port", "--events-in-port", "--events-out-port")
        options = [text for name, port in zip(names, ports, strict=True) for text in (name, str(port))]
        command = [*WARPCORE, "up", "--data", str(folder / "movies"), "--processing", str(folder / "results")]
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                [*command, "--workers", "0", *options, *arguments], stdout=file, stderr=subprocess.STDOUT
            )
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{ports[0]}", timeout=30, auth=OwnToken(folder / "results"))

    def get(self, path: str) -> Any:
        """A resource, None while nothing answers."""
        try:
            response = self.http.get(path)
        except httpx.TransportError:
            return None
        return response.json() if response.status_code == 200 else None

    def children(self) -> list[psutil.Process]:
        """All processes below it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def service(self, name: str) -> psutil.Process | None:
        """The process of a service."""
        for child in psutil.Process(self.process.pid).children():
            try:
                if name in child.cmdline()[3:4]:
                    return child
            except psutil.Error:
                continue
        return None

    def text(self) -> str:
        """What it has printed."""
        return self.log.read_text(errors="replace")

    def close(self) -> None:
        """End whatever is left."""
        self.http.close()
        if self.process.poll() is None:
            for child in self.children():
                child.kill()
            self.process.kill()
            self.process.wait()


def answering(folder: Path, *arguments: str) -> Up:
    """A session that answers."""
    up = Up(folder, free_ports_of_loopback(5), *arguments)
    try:
        wait_until(lambda: up.get("/api/health") or up.process.poll() is not None, 60, "a session")
        assert up.process.poll() is None, f"no session:\n{up.text()}"
    except BaseException:
        up.close()
        raise
    return up


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """`start(*arguments)`: a session of the test's own."""
    started: list[Up] = []

    def start_one(*arguments: str) -> Up:
        started.append(answering(tmp_path, *arguments))
        return started[-1]

    yield start_one
    for up in started:
        up.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A session that several tests look at."""
    up = answering(tmp_path_factory.mktemp("shared"))
    yield up
    up.close()


def test_an_insecure_session_is_open_to_everyone_and_term_ends_it_within_10_s(
    start: Callable[..., Up], tmp_path: Path, wait_until: Wait
) -> None:
    up = start("--insecure")
    assert httpx.get(f"http://127.0.0.1:{up.rest_port}/api/items", timeout=HANGS_S).status_code == 200
    wait_until(lambda: "REST at http://127.0.0.1:" in up.text(), 60)
    assert "#sign-in=" not in up.text()
    children = up.children()
    assert len(children) >= 5
    begun = time.monotonic()
    up.process.terminate()
    assert up.process.wait(HANGS_S) == 0
    assert time.monotonic() - begun < LONGEST_END_S * crowd()
    # One that has ended may still wait for init to take note of it.
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert "REST at" in (tmp_path / "results" / "logs" / "api.log").read_text()


def test_no_token_is_told_in_logs_or_on_command_lines(shared: Up) -> None:
    access = Access.of(None, shared.folder / "results")
    token = access.operator_token.read_text().strip()
    assert shared.text().startswith("live page: http://127.0.0.1:")
    code = shared.text().partition("#sign-in=")[2].split()[0]
    assert shared.text().count(code) == 1
    told = [file.read_text() for file in (shared.folder / "results" / "logs").iterdir()]
    told += [" ".join(child.cmdline() + list(child.environ().values())) for child in shared.children()]
    assert told
    for secret in (token, code):
        assert not [text for text in told if secret in text]
    assert token not in shared.text()


def test_commands_of_its_user_find_the_token_of_a_session(
    shared: Up, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{shared.rest_port}"
    command = [*WARPCORE, "report", "--url", url]
    subprocess.run([*command, str(tmp_path / "report.html")], check=True, timeout=HANGS_S)
    assert Session(url).health().status == "ok"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "of another user"))
    refused = subprocess.run([*command, str(tmp_path / "no.html")], capture_output=True, text=True, timeout=HANGS_S)
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith("warpcore: not signed in: a token is needed; give --token-file")
    with pytest.raises(ApiError) as caught:
        Session(url).health()
    assert caught.value.status == 401


def test_rest_by_itself_wants_tokens_or_a_word() -> None:
    refused = subprocess.run([*WARPCORE, "api"], capture_output=True, text=True, timeout=HANGS_S, check=False)
    assert refused.returncode == 78
    assert "--insecure" in refused.stderr


def test_services_that_die_are_started_again_and_none_outlives_up(start: Callable[..., Up], wait_until: Wait) -> None:
    up = start()
    before = {name: up.service(name) for name in ("scheduler", "api", "discoverer", "tracker")}
    for process in before.values():
        assert process is not None
        process.kill()
    for name, process in before.items():
        wait_until(lambda name=name, process=process: up.service(name) not in (None, process), 20, name)
        assert f"{name} ended (killed by signal 9)" in up.text()
    wait_until(lambda: up.get("/api/health"), 30, "the session after the kills")
    children = up.children()
    up.process.kill()
    up.process.wait()
    wait_until(lambda: not [child for child in children if child.is_running()], LONGEST_END_S, "the end of all")


@pytest.mark.slow
def test_what_the_user_changed_outlives_a_restart_of_the_scheduler(start: Callable[..., Up], wait_until: Wait) -> None:
    """Settings and pause of the command line hold for the beginning only."""
    up = start("--set", "ctf.voltage=200", "--paused")
    assert up.get("/api/settings")["ctf"]["voltage"] == 200
    assert up.get("/api/processing/status")["isProcessing"] is False
    up.http.patch("/api/settings", json={"ctf": {"voltage": 120}}).raise_for_status()
    up.http.post("/api/processing/start").raise_for_status()
    scheduler = up.service("scheduler")
    assert scheduler is not None
    # Once it has run well; a scheduler that dies in its first seconds is begun anew as it was asked for.
    wait_until(lambda: up.get("/api/health")["scheduler"]["uptimeSeconds"] > 10.5, 20, "the scheduler having run well")
    scheduler.kill()
    wait_until(lambda: up.service("scheduler") not in (None, scheduler), 10, "another scheduler")
    wait_until(lambda: up.get("/api/health"), 20, "the new scheduler")
    assert up.get("/api/settings")["ctf"]["voltage"] == 120
    assert up.get("/api/processing/status")["isProcessing"] is True


def test_a_second_session_on_the_same_folders_ends_with_one_line(shared: Up) -> None:
    second = Up(shared.folder, free_ports_of_loopback(5), log="second.log")
    try:
        assert second.process.wait(HANGS_S) == 78
    finally:
        second.close()
    (line,) = second.text().splitlines()
    assert line.startswith("warpcore: processing directory ")
    assert "is in use by the scheduler of process" in line
    assert shared.get("/api/health")


def test_a_port_in_use_ends_it_before_anything_starts(shared: Up, tmp_path: Path) -> None:
    (tmp_path / "movies").mkdir()
    command = [*WARPCORE, "up", "--data", str(tmp_path / "movies"), "--processing", str(tmp_path / "results")]
    done = subprocess.run(
        [*command, "--port", shared.rest_port], capture_output=True, text=True, timeout=HANGS_S, check=False
    )
    assert done.returncode == 78
    assert f"port {shared.rest_port} (--port)" in done.stderr
    assert not (tmp_path / "results" / "logs").exists()


def test_commands_and_rest_agree(shared: Up, tmp_path: Path, command: Callable[..., Any]) -> None:
    up = shared

    def warpcore(*arguments: str) -> Any:
        return command(*arguments, "--control-port", up.control_port)

    assert warpcore("pause").returncode == 0
    shown = json.loads(warpcore("status", "--json").stdout)
    assert shown["is_processing"] is False
    assert shown["processing_directory"] == str(up.folder / "results")
    assert "paused: 0 of" in warpcore("status").stdout

    assert warpcore("settings", "set", "ctf.voltage=200", "picking.diameter=150").returncode == 0
    assert up.get("/api/settings")["ctf"]["voltage"] == 200
    assert warpcore("settings", "get", "ctf.voltage").stdout.split() == [
        "ctf.voltage=200.0",
        "#",
        "kV;",
        "default",
        "null",
    ]
    file = tmp_path / "settings.json"
    file.write_text(warpcore("settings", "get", "--json").stdout)
    assert warpcore("settings", "set", "ctf.voltage=120").returncode == 0
    assert warpcore("settings", "import", str(file)).returncode == 0
    assert up.get("/api/settings")["ctf"]["voltage"] == 200
    for dry in (("set", "ctf.voltage=300"), ("import", str(tmp_path / "other.json"))):
        (tmp_path / "other.json").write_text('{"ctf": {"voltage": 80}}')
        would = warpcore("settings", *dry, "--dry-run")
        assert would.returncode == 0
        assert would.stderr.startswith("nothing is changed; this would happen: ")
        assert up.get("/api/settings")["ctf"]["voltage"] == 200
        assert up.get("/api/settings")["picking"]["diameter"] == 150
    refused = warpcore("settings", "set", "ctf.voltage=1", "ctf.volts=2")
    assert refused.returncode == 1
    assert "ctf.voltage = 1" in refused.stderr
    assert "ctf.volts" in refused.stderr

    assert warpcore("start").returncode == 0
    assert up.get("/api/processing/status")["isProcessing"] is True
    assert warpcore("pause").returncode == 0
    assert up.get("/api/processing/status")["isProcessing"] is False

    unknown = warpcore("select", "exclude", "nope")
    assert unknown.returncode == 1
    assert "nope" in unknown.stderr
    nothing = warpcore("export", "micrographs")
    assert nothing.returncode == 1
    assert "nothing to export" in nothing.stderr
    assert warpcore("items", "--json").stdout.startswith("[")


def test_tap_prints_events_by_topic_as_text_and_as_json(
    start: Callable[..., Up], wait_until: Wait, tmp_path: Path
) -> None:
    up = start()
    options = ["--events-out-port", up.events_out_port]
    outputs = {name: tmp_path / name for name in ("all", "settings", "json")}
    arguments = {"all": [], "settings": ["settings"], "json": ["--json", "processing.*", "service"]}
    taps = []
    for name, path in outputs.items():
        with path.open("wb") as output:
            taps.append(
                subprocess.Popen([*WARPCORE, "tap", *arguments[name], *options], stdout=output, stderr=subprocess.PIPE)
            )
    # Each hears the scheduler's beat within 2 s of having subscribed, except the one that asks for settings alone.
    wait_until(lambda: outputs["all"].stat().st_size and outputs["json"].stat().st_size, 20, "the first events")
    voltages = itertools.cycle((100, 200))

    def all_heard() -> bool:
        up.http.patch("/api/settings", json={"ctf": {"voltage": next(voltages)}}).raise_for_status()
        return bool(outputs["settings"].stat().st_size)

    wait_until(all_heard, 20, "a settings event")
    up.http.post("/api/processing/pause").raise_for_status()
    wait_until(lambda: "processing.paused" in outputs["all"].read_text(), 10, "a pause event")
    wait_until(lambda: "processing.paused" in outputs["json"].read_text(), 10, "a pause event as JSON")
    for tap in taps:
        tap.send_signal(signal.SIGINT)
        assert tap.wait(HANGS_S) == 0
        assert tap.stderr is not None
        tap.stderr.close()
    assert "ctf.voltage" in outputs["all"].read_text()
    assert all(" settings.changed " in line for line in outputs["settings"].read_text().splitlines())
    events = [json.loads(line) for line in outputs["json"].read_text().splitlines()]
    assert {event["topic"].partition(".")[0] for event in events} == {"processing", "service"}
    (paused,) = [event for event in events if event["topic"] == "processing.paused"]
    assert paused["body"] == {"paused": True, "order": "normal", "paused_by": "person"}
    assert paused["seq"] > 0


def test_status_can_be_watched(shared: Up, wait_until: Wait, tmp_path: Path) -> None:
    up = shared
    up.http.post("/api/processing/start").raise_for_status()
    output = tmp_path / "watch"
    with output.open("wb") as file:
        command = [*WARPCORE, "status", "--watch", "--control-port", up.control_port]
        watch = subprocess.Popen(command, stdout=file)
    wait_until(lambda: "processing: 0 of 0 movies done" in output.read_text(), 20, "the status")
    up.http.post("/api/processing/pause").raise_for_status()
    wait_until(lambda: "paused: 0 of 0 movies done" in output.read_text(), 20, "the change")
    os.kill(watch.pid, signal.SIGINT)
    assert watch.wait(HANGS_S) == 0
