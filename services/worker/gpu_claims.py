"""Each GPU of a host for one worker: a lock on a file a GPU, which the kernel takes back when its holder ends.

A worker that was told its GPU does not ask, but shows by a shared lock that it uses it. The files belong to one user;
workers of other users are not seen.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from warpcore.services.worker.devices import UnusableError
from warpcore.services.worker.gpus import Gpu

log = logging.getLogger(__name__)

_LOCKS = Path("/proc/locks")
_LOCK_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW


class Claim:
    """A GPU that this process holds until `release`, or until it ends however."""

    def __init__(self, gpu: Gpu, descriptor: int | None) -> None:
        self.gpu = gpu
        self._descriptor = descriptor

    def release(self) -> None:
        """Let others have it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def first_free(gpus: Sequence[Gpu], take: Callable[[Gpu], Claim | None]) -> Claim | None:
    """The claim on the first GPU that `take` gets; None where all are taken."""
    return next((claim for gpu in gpus if (claim := take(gpu)) is not None), None)


def claim_one(gpus: Sequence[Gpu], folder: Path) -> Claim:
    """Take the first free GPU for this process alone. Raises UnusableError where none is free, naming the holders."""
    claim = first_free(gpus, lambda gpu: claim_gpu(gpu, folder, shared=False))
    if claim is not None:
        return claim
    taken = ", ".join(f"cuda:{gpu.name} by {_processes(holders(lock_file(gpu, folder)))}" for gpu in gpus)
    what = "the only GPU" if len(gpus) == 1 else f"all {len(gpus)} GPUs"
    raise UnusableError(
        f"{what} that this worker may use {'is' if len(gpus) == 1 else 'are'} taken: {taken}; "
        f"to share one on purpose: --device cuda:{gpus[0].name}"
    )


def claim_gpu(gpu: Gpu, folder: Path, *, shared: bool) -> Claim | None:
    """Take a GPU; `shared` beside others that share it. None where another process holds it otherwise.

    Where files cannot be locked there, the log says so and the GPU counts as free.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock_file(gpu, folder), _LOCK_FLAGS, 0o600)
    except OSError as error:
        log.warning("%s: %s: cannot see which GPUs other workers use", folder, error.strerror)
        return Claim(gpu, None)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError as error:
        log.warning("%s: %s: cannot see which GPUs other workers use", folder, error.strerror)
    return Claim(gpu, descriptor)


def lock_file(gpu: Gpu, folder: Path) -> Path:
    """The file whose lock stands for a GPU; without a UUID it is named by the host too, which may share the folder."""
    name = gpu.uuid or f"{socket.gethostname()}-{gpu.name}"
    return folder / f"{re.sub(r'[^A-Za-z0-9-]', '_', name)}.lock"


def holders(path: Path, locks: Path = _LOCKS) -> list[int]:
    """The processes that hold a lock on a file, as the kernel lists them; empty where it does not tell."""
    try:
        return lock_holders(locks.read_text().splitlines(), path.stat().st_ino)
    except OSError:
        return []


def lock_holders(lines: Iterable[str], inode: int) -> list[int]:
    """Process ids in the lines of /proc/locks that hold (not wait for) a flock on the file with this inode."""
    found = (re.match(r"\d+: FLOCK +\w+ +\w+ +(\d+) +\w+:\w+:(\d+) ", line) for line in lines)
    return sorted({int(match[1]) for match in found if match and int(match[2]) == inode and int(match[1]) > 0})


def _processes(pids: Sequence[int]) -> str:
    if not pids:
        return "another process"
    return f"process{'es' if len(pids) > 1 else ''} {' and '.join(map(str, pids))}"
