"""Commands as programs: help, exit codes, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from typer.core import TyperGroup
from typer.main import get_command

from warpcore.bus.vocabulary import ExportKind, Selection, Word
from warpcore.cli.main import app

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]
Command = Callable[..., Any]


def test_help_tells_of_all_commands_and_exit_codes(command: Command) -> None:
    done = command("--help")
    assert done.returncode == 0
    services = ("discoverer", "scheduler", "tracker", "api", "worker")
    control = ("up", "tap", "status", "settings", "start")
    for name in (
        *services,
        *control,
        "pause",
        "items",
        "first",
        "retry",
        "select",
        "export",
        "process",
        "simulate",
        "demo",
    ):
        assert f" {name} " in done.stdout
    assert "Exit codes: 0 done" in done.stdout


@pytest.mark.parametrize(("name", "words"), [("select", Selection), ("export", ExportKind)])
def test_help_gives_the_choices_and_what_they_mean(command: Command, name: str, words: type[Word]) -> None:
    text = " ".join(re.sub("[│─╭╮╰╯]", " ", command(name, "--help").stdout).split())
    for word in words:
        assert f"{word}: {word.meaning}" in text


def test_help_loads_nothing_heavy() -> None:
    """`--help` and completion are used at a prompt: they must not wait for JAX, ZeroMQ or pydantic."""
    heavy = ("jax", "zmq", "numpy", "falcon", "scipy")
    code = f"import sys, warpcore.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def _commands(group: TyperGroup, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def test_every_command_that_asks_a_scheduler_takes_a_key_file() -> None:
    """Else it could not be used from another host."""
    program = get_command(app)
    assert isinstance(program, TyperGroup)
    options = {path: {flag for one in command.params for flag in one.opts} for path, command in _commands(program)}
    asking = {path for path, flags in options.items() if "--scheduler" in flags}
    assert {"audit", "settings set", "status", "worker"} <= asking
    assert [path for path in sorted(asking) if "--key" not in options[path]] == []


def test_the_version_is_told(command: Command) -> None:
    assert command("--version").stdout.startswith("warpcore ")


@pytest.mark.parametrize(
    "arguments",
    [
        ["nope"],
        ["up"],
        ["up", "--data", ".", "--processing", "p", "--workers", "many"],
        ["retry"],
        ["select", "maybe", "a"],
        ["export", "movies"],
        ["items", "--status", "done"],
        ["items", "--sort", "ctf.typo"],
        ["items", "--sort", "defocus,junk"],
        ["tap", "movies.done"],
        ["status", "--control-port", "99999"],
    ],
)
def test_wrong_usage_ends_in_2(command: Command, arguments: list[str]) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_no_answer_from_the_scheduler_ends_in_3(free_ports: Callable[[int], list[int]]) -> None:
    (port,) = free_ports(1)
    commands = [["status"], ["retry", "--failed"]]
    running = [started(*arguments, "--control-port", str(port)) for arguments in commands]
    for process in running:
        output, errors = process.communicate(timeout=240)
        assert process.returncode == 3
        assert output == ""
        assert errors.startswith("warpcore: no answer from tcp://127.0.0.1:")
        assert f":{port}" in errors
        assert errors.count("\n") == 1


def test_up_tells_all_that_is_wrong_before_it_starts_anything(
    command: Command, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    (port,) = free_ports(1)
    done = command(
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
def test_a_bad_settings_file_is_one_clear_line(command: Command, tmp_path: Path, text: str, words: list[str]) -> None:
    file = tmp_path / "settings.json"
    file.write_text(text)
    done = command("settings", "import", str(file))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    for word in (str(file), *words):
        assert word in done.stderr


def started(*arguments: str) -> subprocess.Popen[str]:
    """The command as a program of its own."""
    return subprocess.Popen([*WARPCORE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_services_that_cannot_run_say_why_in_one_line_and_end_in_78(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    (port,) = free_ports(1)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        running = {
            "/nonexistent": started("discoverer", "--data", "/nonexistent"),
            "/missing": started("scheduler", "--data", "/missing", "--processing", str(tmp_path / "p")),
            "/proc/p": started("scheduler", "--data", str(tmp_path), "--processing", "/proc/p"),
            "tpu": started("worker", "--device", "tpu"),
            f":{port}": started("api", "--port", str(port), "--insecure"),
        }
        for word, process in running.items():
            output, errors = process.communicate(timeout=240)
            assert process.returncode == 78, errors
            (line,) = [line for line in errors.splitlines() if line.startswith("warpcore: ")]
            assert word in line
            assert output == ""
            assert "Traceback" not in errors


def test_movies_that_cannot_be_processed_fail_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("not a movie")
    (tmp_path / "empty.mrc").touch()
    with mrcfile.new(tmp_path / "map.mrc") as file:
        file.set_data(np.zeros((8, 8), np.uint8))
    process = started(
        *("process", *(str(tmp_path / name) for name in ("text.tif", "empty.mrc", "map.mrc", "gone.tif"))),
        *("--set", f"import.defects_path={tmp_path / 'map.mrc'}"),
        *("--processing", str(tmp_path / "out"), "--json", "--device", "cpu"),
    )
    output, errors = process.communicate(timeout=480)
    assert process.returncode == 1
    outcomes = json.loads(output)
    assert [outcome["failure"]["kind"] for outcome in outcomes] == ["input"] * 3
    for name in ("text.tif", "empty.mrc", "gone.tif"):
        assert errors.count(str(tmp_path / name)) == 1, errors
    assert f"left out: {tmp_path / 'map.mrc'}: a setting names it, so it is no movie" in errors
    assert errors.splitlines()[-1] == "warpcore: 3 of 3 movies failed"
    assert "Traceback" not in errors


@pytest.mark.slow
def test_process_takes_a_single_average_and_says_what_is_wrong_with_its_ctf(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    with mrcfile.new(tmp_path / "noise.mrc") as file:
        file.set_data(draw.poisson(20, (512, 512)).astype(np.uint16))
        file.voxel_size = 1.1
    process = started("process", str(tmp_path / "noise.mrc"), "--processing", str(tmp_path / "out"), "--device", "cpu")
    output, errors = process.communicate(timeout=480)
    assert process.returncode == 0
    assert output.startswith("noise: motion - Å, track - Å, defocus - µm")
    assert errors.splitlines()[-1] == "noise: no CTF fit: no rings"
    assert (tmp_path / "out" / "powerspectrum" / "noise.png").exists()
