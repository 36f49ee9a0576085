"""What a worker reads and writes of what it is told to: each task is held to its folders, whoever has sent it.

Who starts the worker may limit these folders too (`--within`), whatever a scheduler says.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from warpcore.bus.messages import AssignTask
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.session.allowed import Allowed, allowed_below, is_below, is_of_the_system
from warpcore.services.session.path_map import AS_TOLD, PathMap
from warpcore.services.worker.failures import TaskError

WITHIN = "WARPCORE_WITHIN"
"""Environment variable with the folders of `--within`, which compute processes get from their nanny."""


def own_folders() -> list[str]:
    """The folders that this worker is limited to, by their real paths; none where it is not limited."""
    return [os.path.realpath(folder) for folder in os.environ.get(WITHIN, "").split(os.pathsep) if folder]


def folder_fault(folder: str, own: Sequence[str]) -> str:
    """Why this worker reads and writes nothing below a folder, "" where it does."""
    real = os.path.realpath(folder)
    if is_of_the_system(real):
        return f"{folder} belongs to the operating system; no session lies there"
    if own and not is_below(real, *own):
        return f"{folder} is not below {', '.join(own)}, to which this worker is limited (--within)"
    return ""


def allowed_for(task: AssignTask, paths: PathMap = AS_TOLD) -> Allowed:
    """What may be read for a task, whatever its settings and the results of earlier runs name.

    `paths` says where this host sees the folders that the task names. Raises TaskError where its directories are beyond
    this worker's limits.
    """
    own = own_folders()
    data, processing, *others = map(paths.here, (task.data_directory, task.processing_directory, *task.references))
    for folder in (data, processing):
        if fault := folder_fault(folder, own):
            raise TaskError(FailureKind.STORAGE_AWAY, "load", fault)
    references = [folder for folder in others if not folder_fault(folder, own)]
    return allowed_below(data, processing, references, follow_links=task.follow_links)
