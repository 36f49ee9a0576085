"""How STAR files name other files: as RELION does, from its project, which is the folder that it is run in."""

from __future__ import annotations

import os.path
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Project:
    """RELION's project: the folder `root` as seen from the processing directory (`.`, `..`, `../..`).

    Names are text alone: no link is followed, so that they are equal on every host that sees the same paths.
    """

    processing_directory: str
    root: str = "."

    @property
    def folder(self) -> str:
        """The absolute path of the project."""
        return os.path.normpath(os.path.join(self.processing_directory, self.root))

    def output(self, path: str) -> str:
        """The name of an output, given relative to the processing directory; always relative."""
        return self.file(os.path.join(self.processing_directory, path))

    def file(self, path: str) -> str:
        """The name of any file by its absolute path: relative where it lies in the project, else absolute.

        Never with `..`: RELION puts such a name behind that of a job's folder, and so writes outside of it
        (filename.cpp, getOutputFileWithNewUniqueDate).
        """
        path, folder = os.path.normpath(path), self.folder
        inside = path.startswith(folder.rstrip("/") + "/")
        return os.path.relpath(path, folder) if inside else path
