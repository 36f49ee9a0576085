"""The contracts of `.importlinter` hold, and a breach of each kind is found."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bus", "cli", "kernels", "services")


def linted(tree: Path) -> subprocess.CompletedProcess[str]:
    """`lint-imports` over the packages that lie in `tree/warpcore`."""
    command = [
        str(Path(sys.executable).with_name("lint-imports")),
        "--no-cache",
        "--no-logo",
        str(ROOT / ".importlinter"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sources."""
    folder = tmp_path_factory.mktemp("tree")
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "*.npz", "*.txt")
        shutil.copytree(ROOT / package, folder / "warpcore" / package, ignore=ignored)
    return folder


def test_all_contracts_hold(tree: Path) -> None:
    done = linted(tree)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("kernels/correct/_bad.py", "kernels.motion._model", "Private modules"),
        ("kernels/image/_bad.py", "kernels.ctf", "one order"),
        ("kernels/image/_bad.py", "services.session.paths", "Kernels import nothing"),
        ("bus/bad.py", "services.session.paths", "The bus imports nothing"),
        ("services/steps/bad.py", "bus.messages", "Steps and session"),
        ("services/readers/bad.py", "services.worker.exits", "Readers and formats"),
        ("services/tracker/bad.py", "services.worker.exits", "Services talk"),
        ("services/tracker/bad.py", "kernels.image", "worker alone computes"),
        ("services/scheduler/core/bad.py", "services.scheduler.store.database", "core decides"),
        ("services/client/bad.py", "services.session.paths", "The client knows the words"),
        ("services/api/bad.py", "services.client", "No service uses the client"),
        ("services/session/bad.py", "cli.errors", "Nothing imports the command line"),
    ],
)
def test_a_breach_is_found_and_named(tree: Path, module: str, imported: str, contract: str) -> None:
    bad = tree / "warpcore" / module
    bad.write_text(f"import warpcore.{imported}\n")
    try:
        done = linted(tree)
    finally:
        bad.unlink()
    assert done.returncode == 1, done.stdout
    assert contract in done.stdout.partition("Broken contracts")[2]
