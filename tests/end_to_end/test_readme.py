"""README's commands in its own words: those that start something or compute.

Those that steer a session are run by `page/test_everything_on.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from readme_commands import NOT_RUN, all_commands, of_their_own

SMALL = "--set frames=8 --set height=384 --set width=384 --set pixel_size_angstrom=2.2"
"""What `warpcore simulate` is told besides, so that its movies take seconds."""


def test_what_is_not_run_stands_in_readme_and_all_else_is_a_command_of_warpcore() -> None:
    assert set(NOT_RUN) <= set(all_commands())
    assert all(one.startswith("warpcore ") for one in of_their_own())


def test_keys_and_tokens_ask_for_two_new_commands_at_most() -> None:
    new = [one for one in all_commands() if one.startswith(("warpcore keys", "warpcore tokens"))]
    assert 1 <= len(new) <= 2, new


class Reader:
    """A person who types README's commands in a folder of their own."""

    def __init__(self, folder: Path, first_port: int) -> None:
        self.folder = folder
        self.left = of_their_own()
        (folder / "run").mkdir(mode=0o700)
        (folder / "bin").mkdir()
        warpcore = folder / "bin" / "warpcore"
        warpcore.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m warpcore.cli.main "$@"\n')
        warpcore.chmod(0o755)
        path = f"{folder}/bin:{os.environ['PATH']}"
        ports = {"WARPCORE_PORTS_FROM": str(first_port), "WARPCORE_CONTROLLER_PORT": str(first_port)}
        self._environment = {**os.environ, "PATH": path, "XDG_RUNTIME_DIR": str(folder / "run"), **ports}

    def take(self, begin: str, words: dict[str, str] | None = None, more: str = "") -> str:
        """The next command of README that begins so, its placeholders replaced."""
        command = next(one for one in self.left if one.startswith(f"warpcore {begin}"))
        self.left.remove(command)
        placed = [(words or {}).get(one, one) for one in command.split()]
        return " ".join([*placed, more])

    def run(self, command: str, where: str = ".") -> str:
        """What a command prints in the shell, which must go well."""
        done = subprocess.run(
            command, shell=True, cwd=self.folder / where, env=self._environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    @contextmanager
    def running(self, command: str) -> Iterator[None]:
        """A command until it is told to end, by Ctrl-C."""
        with (self.folder / "log").open("ab") as log:
            running = subprocess.Popen(
                f"exec {command}", shell=True, cwd=self.folder, env=self._environment, stdout=log, stderr=log
            )
        try:
            yield
            running.send_signal(signal.SIGINT)
            assert running.wait(30) in (0, 130), (self.folder / "log").read_text()[-3000:]
        finally:
            running.kill()
            running.wait()

    def status(self) -> dict[str, Any]:
        """What `warpcore status --json` says, {} while nobody answers."""
        asked = ["warpcore", "status", "--json"]
        done = subprocess.run(asked, env=self._environment, capture_output=True, text=True, check=False)
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_commands_of_readme_work_one_after_the_other(
    tmp_path: Path, free_ports_block: int, wait_until: Callable[..., None]
) -> None:
    reader = Reader(tmp_path, free_ports_block)
    reader.run(reader.take("simulate", more=SMALL))
    shutil.copytree(tmp_path / "folder", tmp_path / "movies", ignore=shutil.ignore_patterns("gain.mrc"))
    gain = shutil.copy(tmp_path / "folder" / "gain.mrc", tmp_path / "gain.mrc")
    assert "fits" in reader.run(reader.take("gain-check"))
    assert "movie_0004" in reader.run(reader.take("process"), "movies")
    assert "4 movies" in reader.run(reader.take("records methods"), "movies")
    reader.run(reader.take("import-star"), "movies/out")

    data, processing = str(tmp_path / "folder"), str(tmp_path / "session_out")
    words = {"/data/session": data, "/data/session_out": processing}
    words |= {"import.gain_path=/data/gain.mrc": f"import.gain_path={gain}", "D": data, "P": processing}

    def counts() -> dict[str, int]:
        return reader.status().get("counts", {})

    with reader.running(reader.take("up", words)):
        wait_until(lambda: sum(counts().get(one, 0) for one in ("processed", "filtered_out")) == 4, 300, "all movies")
    with reader.running(reader.take("up", words)):
        wait_until(lambda: counts(), 60, "the session")
        made = reader.run(reader.take("keys add")).strip()
        shutil.copy(made, tmp_path / "gpu1.toml")
        with reader.running(reader.take("worker", {"SCHEDULER_HOST": "127.0.0.1", "cuda:0": "cpu"})):
            wait_until(lambda: "gpu1/" in json.dumps(reader.status()), 120, "the worker")
    assert reader.left == []
