"""Export jobs and the session's own files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from warpcore.bus.vocabulary import ExportKind, JobState
from warpcore.services.api.views import DiskView, JobsView, JobView, SessionFile
from warpcore.services.client._requests import Requests, part


class Files(Requests):
    """The part of a session's client that is about exports and files; `job` is one's name, such as `job-3`."""

    def start_export(
        self, kind: ExportKind | str, options: dict[str, Any] | None = None, names: Sequence[str] | None = None
    ) -> JobView:
        """Export `micrographs` or `particles` of these movies, or of all that are processed and pass the filter.

        `options` are settings of `export` that hold for this job alone.
        """
        return self._send("POST", f"/api/export/{part(kind)}", {"options": options or {}, "names": names}, JobView)

    def exports(self, state: JobState | str | None = None) -> list[JobView]:
        """All export jobs, or those in one state, the newest last, without their files and failures."""
        return self._get("/api/exports", JobsView, {"state": state}).jobs

    def export(self, job: str, after: int = 0) -> JobView:
        """A job with a page of its files, which begins after so many; `next_after` begins the next page."""
        return self._get(f"/api/exports/{part(job)}", JobView, {"after": after})

    def cancel_export(self, job: str) -> JobView:
        """Give up what of a job has not begun."""
        return self._send("DELETE", f"/api/export/{part(job)}", None, JobView)

    def delete_export(self, job: str) -> JobView:
        """Delete a job with its folder."""
        return self._send("DELETE", f"/api/exports/{part(job)}", None, JobView)

    def download_export(self, job: str, to: Path) -> None:
        """Write all files of a job to `to` as a tar, which appears once it is whole. Raises OSError."""
        self._download(f"/api/exports/{part(job)}/archive", to)

    def download_particles(self, job: str, to: Path) -> None:
        """Write RELION's list of all particles of a job to `to`. Raises OSError."""
        self._download(f"/api/exports/{part(job)}/particles.star", to)

    def download_export_file(self, job: str, path: str, to: Path) -> None:
        """Write one file that a job has written to `to`. Raises OSError."""
        self._download(f"/api/export/{part(job)}/files/{quote(path)}", to)

    def session_files(self) -> list[SessionFile]:
        """The session's own files that there are: lists of all movies for RELION, cryoSPARC and programs."""
        return self._get("/api/files", list[SessionFile])

    def download_session_file(self, name: str, to: Path) -> None:
        """Write one of the session's own files to `to`. Raises OSError."""
        self._download(f"/api/files/{part(name)}", to)

    def disk(self) -> list[DiskView]:
        """How much room there is in the data and processing directories."""
        return self._get("/api/disk", list[DiskView])
