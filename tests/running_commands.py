"""Running the command inside the test's own process: everything but the start of a Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from warpcore.cli import main


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def commands(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """A function that runs a command with its arguments."""

    def run_it(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["warpcore", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main.run()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(bool(end.code))
        printed = capsys.readouterr()
        return Done(code, printed.out, printed.err)

    return run_it
