"""The image that deploy/container/Containerfile describes, built and run without a registry or a daemon."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mrcfile
import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTAINERFILE = ROOT / "deploy" / "container" / "Containerfile"
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs")
MOVIES = 2
NOT_ROOT = 10001
"""The user whom the Containerfile makes."""


class Builder:
    """buildah with a store of its own: files are copied (vfs), and RUN is a chroot, so that it works in containers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._policy = folder / "policy.json"
        self._policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}')

    def __call__(self, command: str, *arguments: str | Path) -> str:
        """Run one command of buildah; what it prints."""
        store = ["--root", self._folder / "store", "--runroot", self._folder / "run"]
        policy = ["--signature-policy", self._policy] if command in ("build", "from", "commit") else []
        return run("buildah", *store, command, *policy, *arguments)


def run(*command: str | Path) -> str:
    how = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}
    words = [str(one) for one in command]
    done = subprocess.run(words, env=os.environ | how, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
    return done.stdout


def missing() -> str:
    """Why no image can be built here; empty where one can."""
    if os.geteuid() != 0:
        return "only root may make a root file system by debootstrap"
    absent = [name for name in ("buildah", "debootstrap", "git") if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def package_index() -> list[str]:
    """Mounts that let pip inside find packages as pip outside does: its configuration, and what that names."""
    said = run(sys.executable, "-m", "pip", "config", "debug")
    files = re.findall(r"^\s+(/[^,\n]+), exists: True$", said, re.M)
    named = [path for path in re.findall(r"(?<!\S)(?:file://)?(/[\w./-]+)$", said, re.M) if Path(path).exists()]
    folders = re.findall(r"file://(/[\w./-]+)", said)
    wanted = {path.removesuffix("/simple") for path in (*files, *named, *folders, str(SYSTEM_CERTIFICATES))}
    return [part for path in sorted(wanted) for part in ("--volume", f"{path}:{path}:ro")]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Builder, str]]:
    """buildah, and the name of the image that it has built from a clean clone."""
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("container")
    root, clone = folder / "root", folder / "clone"
    run("debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm", root)
    run("tar", "--create", "--file", folder / "root.tar", "--directory", root, ".")
    run("git", "clone", "--quiet", ROOT, clone)
    buildah = Builder(folder)
    base = buildah("from", "scratch").strip()
    buildah("add", "--quiet", base, folder / "root.tar", "/")
    buildah("commit", "--quiet", "--rm", base, "warpcore-base")
    authority = SYSTEM_CERTIFICATES / "ca-certificates.crt"
    arguments = ["--build-arg", "BASE=localhost/warpcore-base", "--build-arg", f"CA_FILE={authority}"]
    buildah("build", *arguments, *package_index(), "--file", CONTAINERFILE, "--tag", "warpcore", clone)
    yield buildah, "localhost/warpcore"
    shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_image_processes_movies_and_is_not_root(image: tuple[Builder, str], tmp_path: Path) -> None:
    buildah, name = image
    container = buildah("from", name).strip()
    outside = [tmp_path / "data", tmp_path / "processing"]
    for folder in outside:
        folder.mkdir()
        os.chown(folder, NOT_ROOT, NOT_ROOT)
    mounts = [part for folder in outside for part in ("--volume", f"{folder}:/{folder.name}")]

    def inside(*command: str) -> str:
        return buildah("run", *mounts, container, "--", *command)

    assert inside("id", "--user").strip() == str(NOT_ROOT)
    size = [part for one in ("width=512", "height=512", "frames=6") for part in ("--set", one)]
    inside("warpcore", "simulate", "/data", "--movies", str(MOVIES), *size)
    movies = sorted(f"/data/{path.name}" for path in outside[0].glob("*.tif*"))
    inside("warpcore", "process", *movies, "--processing", "/processing")
    averages = sorted((outside[1] / "average").glob("*.mrc"))
    assert len(averages) == MOVIES
    for path in averages:
        assert path.stat().st_uid == NOT_ROOT
        with mrcfile.open(path) as average:
            assert average.data.std() > 0
    page = "/opt/warpcore/lib/python3*/site-packages/warpcore/services/api/page/dist/index.html"
    inside("sh", "-c", f"test -f {page}")
