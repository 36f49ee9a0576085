"""The limit of open files is raised in the process that asks for it, and nowhere else."""

from __future__ import annotations

import subprocess
import sys

_RAISE = """
import resource
from warpcore.services.process.descriptors import allow_many
resource.setrlimit(resource.RLIMIT_NOFILE, (100, {hard}))
allow_many()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
allow_many()
"""


def limits(hard: int) -> tuple[int, int]:
    done = subprocess.run([sys.executable, "-c", _RAISE.format(hard=hard)], capture_output=True, text=True, check=True)
    soft, found = done.stdout.split()
    return int(soft), int(found)


def test_as_many_files_as_the_host_allows_may_be_open() -> None:
    assert limits(800) == (800, 800)
