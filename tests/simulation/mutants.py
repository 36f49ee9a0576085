"""Six faults of earlier versions, brought back: patches that undo what mended them. The simulation must find each.

The number is that of the point in the list of what broke. Nothing of this is in the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from unittest import mock

from tests.simulation.compute import Compute
from tests.simulation.placing import DiskFiles
from warpcore.bus.messages import AssignTask
from warpcore.services.scheduler.core import names, seeing
from warpcore.services.scheduler.core.holds import Storage
from warpcore.services.scheduler.shell import service
from warpcore.services.session.declared import staged_files
from warpcore.services.session.placing import IncompleteError, Placement, place
from warpcore.services.storage import looking
from warpcore.services.worker import failures
from warpcore.services.worker.nanny import Nanny

LONGEST_RENAMES_S = 2.0
NO_HOLDS = property(lambda self: [])


@dataclass(frozen=True)
class Mutant:
    """One decision undone: `patches` are objects, names and what stands there instead.

    `breaks` is the invariant that does not hold then, `kinds` are the faults that show it.
    """

    point: int
    undone: str
    breaks: str
    kinds: tuple[str, ...]
    patches: tuple[tuple[Any, str, Any], ...]


def _renames_itself(self: Compute, task: AssignTask, outputs: dict[str, dict[str, int | None]]) -> Iterator[float]:
    """The worker puts its outputs in place, a moment after it was allowed to; to cancel it now has no effect."""
    placement = Placement(task.name, str(task.lease), staged_files(outputs, task.name, ""))

    def rename() -> None:
        with suppress(OSError, IncompleteError):
            place(DiskFiles(self), placement)

    self.after(self.chance.uniform(0.1, LONGEST_RENAMES_S), rename)
    yield LONGEST_RENAMES_S
    for files in outputs.values():
        files.update(dict.fromkeys(files))


def _nothing(*_: object) -> None:
    return None


MUTANTS = (
    Mutant(
        2,
        "a failed commit forgets workers, and a worker drops the error that answers its registration",
        "waits for ever",
        ("full", "kill"),
        (
            (service, "go_on", lambda stored, before: stored),
            (Nanny, "_refused", lambda self, request, now: []),
        ),
    ),
    Mutant(
        3,
        "workers put outputs in place themselves",
        "files",
        ("stop", "cut", "settings"),
        ((Compute, "hand_in", _renames_itself),),
    ),
    Mutant(
        4,
        "a data directory that is away is not seen",
        "outcome",
        ("unmount", "kill"),
        (
            (Storage, "holds", NO_HOLDS),
            (looking, "why_another", lambda former, now: ""),
            (looking.SeenFolders, "why_away", lambda self, directory, missing: ""),
            (seeing, "is_unsure", lambda state: False),
            (seeing, "demand", _nothing),
        ),
    ),
    Mutant(
        5,
        "a full disk counts as a shortage of the movie",
        "outcome",
        ("full",),
        (
            (Storage, "holds", NO_HOLDS),
            (failures, "storage_kind", _nothing),
        ),
    ),
    Mutant(
        7,
        "a second worker of a name replaces the first",
        "waits for ever",
        ("twin", "kill"),
        ((names, "must_wait", lambda state, worker, rival: False),),
    ),
    Mutant(
        12,
        "workers need not show that they see the folders",
        "outcome",
        ("unmount", "kill"),
        (
            (seeing, "demand", _nothing),
            (seeing, "watch", _nothing),
            (seeing, "met_away", _nothing),
            (looking.SeenFolders, "why_away", lambda self, directory, missing: ""),
        ),
    ),
)


@contextmanager
def undone(mutant: Mutant) -> Iterator[None]:
    """Within, the product is as it was before this was mended."""
    with ExitStack() as stack:
        for target, name, replacement in mutant.patches:
            stack.enter_context(mock.patch.object(target, name, replacement))
        yield
