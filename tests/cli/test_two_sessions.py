"""Two sessions of one user beside each other: no port is named, and no command is told one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from warpcore.services.access.token_files import own_token

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]


def started(folder: Path, name: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A session without workers."""
    (folder / "movies").mkdir(exist_ok=True)
    command = [*WARPCORE, "up", "--data", str(folder / "movies"), "--processing", str(folder / name), "--workers", "0"]
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen([*command, *arguments], stdout=log, stderr=subprocess.STDOUT)


def others_of(session: dict[str, Any]) -> list[tuple[str, int]]:
    """The sessions to which a session's page links."""
    token = own_token(session["page"], {})
    answer = httpx.get(f"{session['page']}/api/sessions", headers={"Authorization": f"Bearer {token}"}, timeout=120)
    return [(one["name"], one["port"]) for one in answer.raise_for_status().json()["others"]]


def end(process: subprocess.Popen[bytes]) -> None:
    """All of a session's processes end."""
    if process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
    process.wait()


def test_two_sessions_started_at_once_get_their_own_ports_and_are_found_by_name(
    tmp_path: Path,
    free_ports_block: int,
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[..., Any],
    wait_until: Callable[..., None],
) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("WARPCORE_PORTS_FROM", str(free_ports_block))
    with ExitStack() as stack:
        other = stack.enter_context(socket.socket())
        other.bind(("127.0.0.1", free_ports_block + 3))
        other.listen()
        one = started(tmp_path, "grid1")
        stack.callback(end, one)
        two = started(tmp_path, "grid2", "--name", "krios2")
        stack.callback(end, two)

        def answers(name: str) -> bool:
            assert one.poll() is None
            assert two.poll() is None
            return bool(command("status", "--session", name).returncode == 0)

        for name in ("grid1", "krios2"):
            wait_until(lambda name=name: answers(name), 60, what=f"session {name}")
        listed = {each["name"]: each for each in json.loads(command("sessions", "--json").stdout)}
        ports = [port for each in listed.values() for port in each["ports"].values()]
        assert sorted(ports) == list(range(free_ports_block + 5, free_ports_block + 15))
        assert [each["processing"] for _, each in sorted(listed.items())] == [
            str(tmp_path / "grid1"),
            str(tmp_path / "grid2"),
        ]
        for log in ("grid1.log", "grid2.log"):
            told = [line for line in (tmp_path / log).read_text().splitlines() if "this session has" in line]
            assert len(told) == 1
        assert command("pause", "--session", "krios2").returncode == 0
        assert "paused" in command("status", "--session", str(tmp_path / "grid2")).stdout
        assert "paused" not in command("status", "--session", "grid1").stdout
        refused = command("start")
        assert refused.returncode == 2
        assert "--session NAME" in refused.stderr
        assert command("keys", "list", "--session", "krios2", "--json").returncode == 0
        assert others_of(listed["krios2"]) == [("grid1", listed["grid1"]["ports"]["rest"])]
        assert command("report", str(tmp_path / "report.html"), "--session", "krios2").returncode == 0

        with monkeypatch.context() as other_user:
            (tmp_path / "other").mkdir(mode=0o700)
            other_user.setenv("XDG_RUNTIME_DIR", str(tmp_path / "other"))
            assert json.loads(command("sessions", "--json").stdout) == []

        os.kill(two.pid, 9)
        two.wait()
        assert [each["name"] for each in json.loads(command("sessions", "--json").stdout)] == ["grid1"]
        assert command("status").returncode == 0, "the only one is meant"
