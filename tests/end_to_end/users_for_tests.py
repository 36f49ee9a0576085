"""Commands that other users of this host run: real ones, with this interpreter, which may lie where they cannot go."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_NEEDED = [Path(sys.base_prefix), Path(sys.prefix), ROOT]
_SHOWN = """
set -e
kept=$1 hidden=$2; shift 2
mount --rbind "$hidden" "$kept"
mount -t tmpfs -o mode=0755 tmpfs "$hidden"
while [ "$1" != -- ]; do
    mkdir -p "$hidden/$1"
    mount --rbind "$kept/$1" "$hidden/$1"
    shift
done
shift
exec "$@"
"""
"""In a mount namespace of its own: of a folder that others may not enter, those below it that are needed."""


def as_user(user: int, kept: Path) -> list[str]:
    """What stands before a command so that this user runs it, in no group of ours. `kept` is an empty folder."""
    switched = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs", "--"]
    hidden = next(filter(None, map(_hidden, _NEEDED)), None)
    if hidden is None:
        return switched
    below = [str(path.relative_to(hidden)) for path in _NEEDED if path.is_relative_to(hidden)]
    return ["unshare", "--mount", "sh", "-c", _SHOWN, "sh", str(kept), str(hidden), *below, "--", *switched]


def why_not(user: int, kept: Path) -> str:
    """Why no command can be run as another user here, "" where it can."""
    if os.geteuid() != 0:
        return "only root runs commands as other users"
    if not (shutil.which("setpriv") and shutil.which("unshare")):
        return "setpriv and unshare of util-linux are not installed"
    tried = [*as_user(user, kept), sys.executable, "-c", "import warpcore.cli.main, os; print(os.geteuid())"]
    ran = subprocess.run(tried, capture_output=True, text=True, check=False)
    return "" if ran.stdout == f"{user}\n" else f"no command runs as another user here: {ran.stderr.strip()[-200:]}"


def _hidden(path: Path) -> Path | None:
    """The outermost folder above a path that others may not enter."""
    above = [*reversed(path.parents), path]
    return next((folder for folder in above if not folder.stat().st_mode & stat.S_IXOTH), None)
