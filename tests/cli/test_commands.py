"""Commands as programs: help, exit codes, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run() -> Run:
    """`run(*arguments)`: the command to its end."""

    def run_it(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*WARPCORE, *arguments], capture_output=True, text=True, timeout=60, check=False)

    return run_it


def test_help_tells_of_all_commands_and_exit_codes(run: Run) -> None:
    done = run("--help")
    assert done.returncode == 0
    commands = ("up", "discoverer", "scheduler", "tracker", "api", "worker", "tap", "status", "settings", "start")
    for command in (*commands, "pause", "items", "retry", "select", "export", "process", "simulate", "demo"):
        assert f" {command} " in done.stdout
    assert "Exit codes: 0 done" in done.stdout


def test_help_loads_nothing_heavy() -> None:
    """`--help` and completion are used at a prompt: they must not wait for JAX, ZeroMQ or pydantic."""
    code = "import sys, warpcore.cli.main; print([m for m in ('jax', 'zmq', 'numpy', 'falcon', 'scipy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").stdout.startswith("warpcore ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope"],
        ["up"],
        ["up", "--data", ".", "--processing", "p", "--workers", "many"],
        ["retry"],
        ["select", "maybe", "a"],
        ["export", "movies"],
        ["status", "--control-port", "99999"],
    ],
)
def test_wrong_usage_ends_in_2(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_no_answer_from_the_scheduler_ends_in_3(free_ports: Callable[[int], list[int]]) -> None:
    (port,) = free_ports(1)
    commands = [["status"], ["items", "--json"], ["settings", "get"], ["start"], ["retry", "--failed"]]
    running = [
        subprocess.Popen(
            [*WARPCORE, *command, "--control-port", str(port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for command in commands
    ]
    for process in running:
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 3
        assert output == ""
        assert errors.startswith("warpcore: no answer from tcp://127.0.0.1:")
        assert f":{port}" in errors
        assert errors.count("\n") == 1


def test_up_tells_all_that_is_wrong_before_it_starts_anything(
    run: Run, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    (port,) = free_ports(1)
    done = run(
        *("up", "--data", str(tmp_path / "gone"), "--processing", "/proc/warpcore"),
        *("--port", str(port), "--control-port", str(port), "--set", "ctf.cs=99", "--set", "nonsense"),
        *("--settings", str(tmp_path / "none.json")),
    )
    assert done.returncode == 78
    lines = done.stderr.splitlines()
    for word in (str(tmp_path / "gone"), "/proc/warpcore", f"port {port}", "ctf.cs = 99", "nonsense", "none.json"):
        assert len([line for line in lines if word in line]) == 1, word
    assert all(line.startswith("warpcore: ") for line in lines)
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"ctf": {"volts": 300}}', ["ctf.volts", "unknown"]),
        ('{"ctf": {"voltage": 1}}', ["ctf.voltage = 1", "20"]),
        ('{"ctf": ', ["cannot be read"]),
        ("[]", ["not a JSON object"]),
    ],
)
def test_a_bad_settings_file_is_one_clear_line(run: Run, tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "settings.json"
    file.write_text(text)
    done = run("settings", "import", str(file))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    for word in (str(file), *words):
        assert word in done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["discoverer", "--data", "/nonexistent"], "/nonexistent"),
        (["scheduler", "--data", "/nonexistent", "--processing", "{tmp}/p"], "/nonexistent"),
        (["scheduler", "--data", "{tmp}", "--processing", "/proc/p"], "/proc/p"),
        (["worker", "--device", "tpu"], "tpu"),
    ],
)
def test_services_that_cannot_run_say_why_and_end_in_78(
    run: Run, tmp_path: Path, arguments: list[str], word: str
) -> None:
    done = run(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert done.returncode == 78, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("warpcore: ")]
    assert word in line
    assert "Traceback" not in done.stderr


def test_the_api_names_the_port_that_is_in_use(run: Run, free_ports: Callable[[int], list[int]]) -> None:
    import socket

    (port,) = free_ports(1)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        done = run("api", "--port", str(port))
    assert done.returncode == 78
    assert f":{port}" in done.stderr
    assert done.stderr.count("\n") == 1


def test_movies_that_cannot_be_processed_fail_one_by_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("not a movie")
    (tmp_path / "empty.mrc").touch()
    done = run(
        *("process", str(tmp_path / "text.tif"), str(tmp_path / "empty.mrc"), str(tmp_path / "gone.tif")),
        *("--processing", str(tmp_path / "out"), "--json", "--device", "cpu"),
    )
    assert done.returncode == 1
    outcomes = json.loads(done.stdout)
    assert [outcome["failure"]["kind"] for outcome in outcomes] == ["input"] * 3
    for name in ("text.tif", "empty.mrc", "gone.tif"):
        assert name in done.stderr
    assert done.stderr.splitlines()[-1] == "warpcore: 3 of 3 movies failed"
    assert "Traceback" not in done.stderr
