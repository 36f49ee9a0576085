"""Child processes: their output is kept, nothing of them is left behind, whoever dies first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from warpcore.cli.children import Child

Wait = Callable[..., None]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


SLEEP = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEP}"
WITH_CHILD = """
    import subprocess, sys, time
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print(child.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., tuple[Child, list[str]]]:
    """`start(code, **environment)`: a child and the list that its lines go to."""

    def start_one(code: str, **environment: str) -> tuple[Child, list[str]]:
        lines: list[str] = []
        return Child(python(code), environment, tmp_path / "logs" / "child.log", lines.append), lines

    return start_one


def test_output_goes_to_the_log_file_and_on(
    start: Callable[..., tuple[Child, list[str]]], tmp_path: Path, wait_until: Wait
) -> None:
    child, lines = start("import sys; print('one'); print('two \\u00b5', file=sys.stderr); sys.exit(7)")
    wait_until(lambda: child.poll() is not None)
    assert child.poll() == 7
    wait_until(lambda: len(lines) == 2, what="both lines")
    assert lines == ["one", "two µ"]
    assert child.last_line == "two µ"
    log = tmp_path / "logs" / "child.log"
    wait_until(lambda: log.exists() and log.read_text(encoding="utf-8").splitlines() == lines, what="them in the log")


def test_a_child_killed_by_a_signal_says_which(start: Callable[..., tuple[Child, list[str]]], wait_until: Wait) -> None:
    child, lines = start(SLEEP)
    wait_until(lambda: lines)
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: child.poll() == -signal.SIGKILL)


def test_terminate_asks_and_kill_does_not(start: Callable[..., tuple[Child, list[str]]], wait_until: Wait) -> None:
    child, lines = start(STUBBORN)
    wait_until(lambda: lines)
    child.terminate()
    assert child.poll() is None
    child.kill()
    wait_until(lambda: child.poll() == -signal.SIGKILL)
    child.terminate()
    child.kill()


def test_what_a_dead_child_left_behind_is_killed(
    start: Callable[..., tuple[Child, list[str]]], wait_until: Wait
) -> None:
    child, lines = start(WITH_CHILD)
    wait_until(lambda: lines)
    grandchild = int(lines[0])
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: child.poll() is not None)
    wait_until(lambda: not alive(grandchild))


def test_our_own_options_do_not_reach_children(
    start: Callable[..., tuple[Child, list[str]]], wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option given by environment to `up` would be given again at every restart of a service."""
    monkeypatch.setenv("WARPCORE_PORT", "1")
    monkeypatch.setenv("WARPCORE_CACHE", "/cache")
    child, lines = start("import os; print(sorted(n for n in os.environ if n.startswith('WARPCORE_')))", OTHER="1")
    wait_until(lambda: child.poll() is not None and lines)
    assert lines == ["['WARPCORE_CACHE', 'WARPCORE_PARENT']"]


@pytest.mark.parametrize("ignores_term", [False, True])
def test_children_end_when_their_parent_is_killed(tmp_path: Path, wait_until: Wait, ignores_term: bool) -> None:
    """kill -9 of the parent gives it no chance to clean up: the child itself must notice."""
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)" if ignores_term else "pass"
    service = textwrap.dedent(f"""
        import os, signal, time
        import warpcore.services.process.parent as parent
        parent.GRACE_S = 0.2
        {ignore}
        parent.end_with_parent(insist=True)
        print(os.getpid(), flush=True)
        time.sleep(600)
    """)
    program = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from warpcore.cli.children import Child
        log = Path({str(tmp_path / "log")!r})
        Child([sys.executable, "-c", {service!r}], {{}}, log, lambda line: print(line, flush=True))
        time.sleep(600)
    """)
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert alive(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not alive(child), 5, "the child's end")


def test_a_service_on_its_own_follows_nobody() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "WARPCORE_PARENT"}
    code = "from warpcore.services.process.parent import end_with_parent; end_with_parent(); print('runs')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "runs\n"


def test_a_service_whose_parent_is_gone_already_does_not_start() -> None:
    code = "from warpcore.services.process.parent import end_with_parent; end_with_parent(); print('runs')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "WARPCORE_PARENT": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "gone" in done.stderr


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
