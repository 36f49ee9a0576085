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
SYSTEMD = ROOT / "deploy" / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
SESSION_UNIT = SYSTEMD / "warpcore@.service"
HARDENING = SYSTEMD / "warpcore-.service.d" / "hardening.conf"
ENVIRONMENT_FILES = [SYSTEMD / "warpcore.env", SYSTEMD / "session.env"]
MOST_EXPOSED = 2.5
"""`systemd-analyze security` of systemd 252 gives 1.8, and 2.3 where GPUs are used; without hardening 9.2."""
needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
BATCH_SCRIPT = ROOT / "deploy" / "slurm" / "warpcore-worker.sbatch"


def known_variables() -> set[str]:
    """Every environment variable that an option of a command reads."""
    commands = get_command(app).commands.values()  # type: ignore[attr-defined]
    return {str(option.envvar) for command in commands for option in command.params if option.envvar}


def test_there_is_a_unit_for_each_service() -> None:
    names = {unit.stem.removeprefix("warpcore-").rstrip("@") for unit in UNITS}
    assert names == {"scheduler", "discoverer", "tracker", "notifier", "api", "worker", "pool", "warpcore"}


@needs_systemd
def test_systemd_accepts_the_units() -> None:
    files = [*UNITS, *UNITS[0].parent.glob("*.target")]
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_run_commands_that_exist(unit: Path) -> None:
    (line,) = re.findall(r"^ExecStart=/usr/bin/env warpcore (.*)$", unit.read_text(), re.MULTILINE)
    command, *arguments = line.split()
    found = get_command(app).commands[command]  # type: ignore[attr-defined]
    while hasattr(found, "commands"):
        found = found.commands[arguments.pop(0)]
    options = {name for option in found.params for name in option.opts}
    assert {argument for argument in arguments if argument.startswith("--")} <= options


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_are_hardened(unit: Path) -> None:
    """With the drop-ins, which systemd finds by the beginning of a unit's name."""
    command = ["systemd-analyze", "security", "--offline=true", f"--threshold={MOST_EXPOSED * 10:.0f}"]
    own = {**os.environ, "SYSTEMD_UNIT_PATH": f"{SYSTEMD}:"}
    done = subprocess.run([*command, unit], env=own, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def options_of(unit: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in unit.read_text().splitlines() if re.match(r"[A-Z]\w+=", line))


def test_a_session_is_as_hardened_as_single_services_are() -> None:
    """Its unit's name does not begin with `warpcore-`, so it repeats what the drop-in says."""
    wanted = options_of(HARDENING)
    assert len(wanted) > 20
    assert wanted.items() <= options_of(SESSION_UNIT).items()


def test_units_are_known_by_their_names_in_the_journal() -> None:
    """Each begins with `env`, which would be the name."""
    assert {options_of(unit)["SyslogIdentifier"] for unit in UNITS} == {"%N"}


def test_memory_may_be_made_executable() -> None:
    """JAX compiles kernels into it: with MemoryDenyWriteExecute=, a worker died by SIGSEGV at its first movie."""
    texts = [file.read_text() for file in (*UNITS, HARDENING)]
    assert not any(re.search(r"^MemoryDenyWriteExecute=", text, re.MULTILINE) for text in texts)


def test_a_pool_on_pbs_may_start_programs_of_root() -> None:
    """systemd 252 lets no user start one where any of these is on, whatever NoNewPrivileges= says."""
    implies = {"LockPersonality", "NoNewPrivileges", "PrivateDevices", "ProtectClock", "ProtectHostname"}
    implies |= {"ProtectKernelLogs", "ProtectKernelModules", "ProtectKernelTunables", "RestrictAddressFamilies"}
    implies |= {"RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID", "SystemCallArchitectures"}
    implies |= {"SystemCallFilter"}
    used = implies & {**options_of(HARDENING), **options_of(SYSTEMD / "warpcore-pool@.service")}.keys()
    off = options_of(SYSTEMD / "pool-on-pbs.conf")
    assert used
    assert {off.get(name) for name in used} <= {"no", ""}


def test_results_may_be_written_where_the_environment_says() -> None:
    for folders, environment in zip(("warpcore-.service.d", "warpcore@.service.d"), ENVIRONMENT_FILES, strict=True):
        (allowed,) = re.findall(
            r"^ReadWritePaths=(.*)$", (SYSTEMD / folders / "folders.conf").read_text(), re.MULTILINE
        )
        (named,) = re.findall(r"^WARPCORE_PROCESSING=(.*)$", environment.read_text(), re.MULTILINE)
        assert Path(named).is_relative_to(allowed)


@pytest.mark.parametrize("file", ENVIRONMENT_FILES, ids=lambda file: file.name)
def test_the_environment_files_hold_options_that_exist(file: Path) -> None:
    listed = re.findall(r"^#?(WARPCORE_\w+)=", file.read_text(), re.MULTILINE)
    named = set(listed)
    assert len(listed) == len(named), "one is named twice: the last counts"
    assert named <= known_variables() | {"WARPCORE_CACHE"}
    assert named >= {"WARPCORE_DATA", "WARPCORE_PROCESSING", "WARPCORE_CONTROLLER_PORT"}


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
    assert script.wait(120) == 0
    wait_until(lambda: not any(worker.is_running() for worker in workers))
