"""How many files and connections a process may have open."""

from __future__ import annotations

import resource

MOST = 65_536


def allow_many() -> None:
    """Let this process open as many as its host allows, up to `MOST`: the usual 1024 are few for many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
