"""What administrators install: systemd accepts the units, the batch script hands signals on."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from typer.main import get_command

from warpcore.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
ENVIRONMENT_FILE = ROOT / "deploy" / "systemd" / "warpcore.env"
BATCH_SCRIPT = ROOT / "deploy" / "slurm" / "warpcore-worker.sbatch"


def known_variables() -> set[str]:
    """Every environment variable that an option of a command reads."""
    commands = get_command(app).commands.values()  # type: ignore[attr-defined]
    return {str(option.envvar) for command in commands for option in command.params if option.envvar}


def test_there_is_a_unit_for_each_service() -> None:
    names = {unit.stem.removeprefix("warpcore-").rstrip("@") for unit in UNITS}
    assert names == {"scheduler", "discoverer", "tracker", "notifier", "api", "worker"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_units() -> None:
    files = [*UNITS, *UNITS[0].parent.glob("*.target")]
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_run_commands_that_exist(unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=/usr/bin/env warpcore (.*)$", unit.read_text(), re.MULTILINE)
    command, *arguments = line.split()
    options = {name for option in get_command(app).commands[command].params for name in option.opts}  # type: ignore[attr-defined]
    assert {argument for argument in arguments if argument.startswith("--")} <= options


def test_the_environment_file_holds_options_that_exist() -> None:
    named = set(re.findall(r"^#?(WARPCORE_\w+)=", ENVIRONMENT_FILE.read_text(), re.MULTILINE))
    assert named <= known_variables() | {"WARPCORE_CACHE"}
    assert named >= {"WARPCORE_DATA", "WARPCORE_PROCESSING", "WARPCORE_SCHEDULER", "WARPCORE_CONTROLLER_PORT"}


def test_the_batch_script_needs_to_know_the_scheduler() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WARPCORE_")}
    done = subprocess.run(["bash", BATCH_SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--scheduler HOST" in done.stderr


def test_the_batch_script_ends_its_worker_in_good_order(
    tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]
) -> None:
    """Slurm signals the script; the worker must hear of it, and the script must wait for the worker."""
    command = tmp_path / "bin" / "warpcore"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m warpcore.cli.main "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}", "SLURM_JOB_ID": "7"}
    (port,) = free_ports(1)
    script = subprocess.Popen(
        ["bash", BATCH_SCRIPT, "--scheduler", "127.0.0.1", "--controller-port", str(port), "--device", "cpu"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert script.stderr is not None
    assert "/slurm-7.0 serves the scheduler" in next(line for line in script.stderr if "serves" in line)
    workers = psutil.Process(script.pid).children(recursive=True)
    script.send_signal(signal.SIGTERM)
    script.stderr.close()
    assert script.wait(15) == 0
    wait_until(lambda: not any(worker.is_running() for worker in workers))
