"""A wheel built from a clean clone, installed elsewhere, is whole."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bus", "cli", "kernels", "services")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the last commit, built in a clean clone."""
    folder = tmp_path_factory.mktemp("wheel")
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing to clone")
    run("git", "clone", "--quiet", str(ROOT), "clone", cwd=folder)
    done = build("wheel", folder / "clone")
    if "PackagesError" in done.stderr:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    (built,) = (folder / "clone").glob("*.whl")
    return built


def build(kind: str, clone: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Builds a `wheel` or an `editable` one in a clone, into its top folder."""
    script = f"from hatchling.build import build_{kind}; build_{kind}('.')"
    return subprocess.run(
        [sys.executable, "-c", script], cwd=clone, capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_it_holds_every_module_of_the_four_packages_and_nothing_else(wheel: Path) -> None:
    committed = run("git", "ls-tree", "-r", "--name-only", "HEAD", *PACKAGES, cwd=ROOT).split()
    held = {
        name.removeprefix("warpcore/") for name in zipfile.ZipFile(wheel).namelist() if name.startswith("warpcore/")
    }
    assert {name for name in committed if name.endswith((".py", "py.typed"))} <= held
    assert {name.split("/")[0] for name in held} == set(PACKAGES)


def test_it_holds_the_built_page(wheel: Path) -> None:
    folder = "warpcore/services/api/page/"
    with zipfile.ZipFile(wheel) as archive:
        held = {name.removeprefix(folder) for name in archive.namelist() if name.startswith(folder)}
        named = re.findall(r'"/page/([^"]+)"', archive.read(f"{folder}dist/index.html").decode())
    assert len(named) == 3
    assert held == {"dist/index.html", *(f"dist/{name}" for name in named)}


def test_without_npm_packages_there_is_no_wheel_but_an_editable_install(tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing to clone")
    run("git", "clone", "--quiet", str(ROOT), "clone", cwd=tmp_path)
    nowhere = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_cache": str(tmp_path / "cache")}
    refused = build("wheel", tmp_path / "clone", **nowhere)
    assert refused.returncode != 0
    assert "npm ci failed" in refused.stderr.strip().splitlines()[-1]
    editable = build("editable", tmp_path / "clone", **nowhere)
    assert editable.returncode == 0, editable.stderr
    assert "The live page is not built" in editable.stdout + editable.stderr


def test_installed_elsewhere_it_runs(wheel: Path, tmp_path: Path) -> None:
    """The new environment sees this one's dependencies through a path file, but not its editable warpcore."""
    home = tmp_path / "elsewhere"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    # --ignore-installed: pip would otherwise remove the editable install that it sees through the path file.
    pip = (sys.executable, "-m", "pip", "--python", str(python))
    run(
        *pip,
        "install",
        "--quiet",
        "--no-deps",
        "--ignore-installed",
        "--disable-pip-version-check",
        str(wheel),
        cwd=tmp_path,
    )
    place = run(python, "-c", "import warpcore.cli as cli; print(cli.__file__)", cwd=tmp_path)
    assert str(home) in place
    assert "warpcore" in run(home / "bin" / "warpcore", "--help", cwd=tmp_path)
    modules = "import importlib, pkgutil, warpcore.bus, warpcore.kernels, warpcore.services\n"
    modules += "for p in (warpcore.bus, warpcore.kernels, warpcore.services):\n"
    modules += "    [importlib.import_module(m.name) for m in pkgutil.walk_packages(p.__path__, p.__name__ + '.')]"
    run(python, "-c", modules, cwd=tmp_path)


def test_what_to_cite_is_this_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = (ROOT / "CITATION.cff").read_text()
    for name in ("version", "license"):
        assert re.search(rf"^{name}: (.*)$", cited, re.M)[1] == project[name]  # type: ignore[index]


def test_the_checks_before_a_commit_are_those_of_lint() -> None:
    run(Path(sys.executable).with_name("pre-commit"), "validate-config", cwd=ROOT)
    recipe = (ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0]
    checks = re.findall(r"\$\(BIN\)/([\w-]+(?: check| format)?)", recipe)
    assert len(checks) >= 4
    for check in checks:
        assert f"entry: .venv/bin/{check}" in (ROOT / ".pre-commit-config.yaml").read_text()
