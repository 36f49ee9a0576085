"""What an installation without a network needs: built in a clean clone, installed where no network is, and used."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_packaging import cloned, npm_gets_packages

WITHOUT_NETWORK = ("unshare", "--net", "--map-root-user")
"""Runs a command in a namespace without any network, not even the loopback, where the user may have one."""


def built_bundle(folder: Path) -> Path:
    """`make bundle` in a clean clone. Skips where no package index, or no npm registry, is reached."""
    clone = cloned(folder)
    command = ["make", "bundle", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    if done.returncode != 0 and ("PackagesError" in done.stderr and not npm_gets_packages(folder / "cache")):
        pytest.skip("npm reaches no registry, and the page cannot be built")
    if done.returncode != 0 and "No matching distribution found" in done.stderr:
        pytest.skip(f"no package index is reached: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return clone / "dist" / "bundle"


def installed(bundle: Path, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """`install.sh` where pip finds no index by its variables and, where the user may have that, no network at all."""
    unreachable = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHON": sys.executable,
    }
    isolated = subprocess.run([*WITHOUT_NETWORK, "true"], capture_output=True, check=False).returncode == 0
    command = [*(WITHOUT_NETWORK if isolated else ()), "sh", str(bundle / "install.sh"), str(home)]
    own = {**os.environ, **unreachable, **environment}
    return subprocess.run(command, env=own, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_bundle_installs_without_a_network_and_has_all(tmp_path: Path) -> None:
    bundle = shutil.move(built_bundle(tmp_path), tmp_path / "carried over")
    home = tmp_path / "home"
    done = installed(bundle, home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("warpcore ")
    said = subprocess.run([home / "bin" / "warpcore", "--version"], capture_output=True, text=True, check=True).stdout
    assert said == done.stdout
    page = "from warpcore.services.api.live_page import read_page; assert 'index.html' in read_page()"
    subprocess.run([home / "bin" / "python", "-c", page], cwd=tmp_path, check=True)
    assert (bundle / "deploy" / "systemd" / "warpcore.env").is_file()

    (old,) = home.glob("lib/python*/site-packages/warpcore/cli/main.py")
    old.write_text("raise SystemExit('an older release')")
    assert installed(bundle, home).returncode == 0, "a bundle installed over another one takes its place"
    subprocess.run([home / "bin" / "warpcore", "--version"], check=True)

    damaged = next(bundle.glob("warpcore-*.whl"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    done = installed(bundle, tmp_path / "other")
    assert done.returncode == 1
    assert done.stderr.strip().endswith("the bundle is not whole: copy it again")


def test_a_bundle_for_another_python_says_so(tmp_path: Path) -> None:
    for name in ("install.sh", "made_for.py"):
        shutil.copy(Path(__file__).parents[1] / "deploy" / "bundle" / name, tmp_path)
    (tmp_path / "made-for").write_text("CPython 3.99 on pdp11\n")
    done = installed(tmp_path, tmp_path / "home")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.startswith("this bundle is for CPython 3.99 on pdp11, and ")
    assert not (tmp_path / "home").exists()
