"""Which particle files an export job has made."""

from __future__ import annotations

from warpcore.bus.client import RequestClient
from warpcore.bus.messages import ExportJob, GetExport
from warpcore.bus.vocabulary import JobState


def particle_files_of(client: RequestClient, job: str) -> tuple[str, list[str]] | None:
    """The folder of a job and the particle files that it made; None where the job no longer waits for their summary.

    Raises NoAnswerError, RefusedError, WireError.
    """
    folder = ""
    files: list[str] = []
    after: int | None = 0
    while after is not None:
        answer = client.request(GetExport(job, after))
        if not isinstance(answer, ExportJob) or answer.state != JobState.COLLECTING:
            return None
        folder = answer.folder
        files += [name for name in answer.files if name.endswith(".star")]
        after = answer.next_after
    return folder, files
