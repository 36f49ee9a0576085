"""What may be read, written and served: the one place that decides it.

A path is judged by where its file really lies, with no link left in it. `opening` asks for that whenever a file is
opened, written, deleted or sent. Trusted are:

- who starts a session: with the data and the processing directory, the folders named for references, and the word that
  links out of the data directory are followed;
- this user and root: with links in the processing directory, which others of its group may make too;
- our own code: with the names of files below `.warpcore`.

Nobody else names a path. Settings, profiles and tasks name files that are judged; a peer (discoverer, worker, tracker,
who asks REST) gives a plain name below a folder, and none in `.warpcore`.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePosixPath

OWN_FOLDER = ".warpcore"
"""The folder of our own files below the processing directory; nothing in it is ever an output, or served."""

_OF_THE_SYSTEM = ("/boot", "/dev", "/etc", "/proc", "/sys")
_SHARED_MEMORY = "/dev/shm"
"""A file system in memory, where sessions of benchmarks and tests may lie."""


class Access(Enum):
    """What is to be done with a file."""

    READ = "a movie, its metadata, or a file that settings name is read"
    SERVE = "a result is sent to whoever may see the session"
    RESULT = "a result is written, deleted, or read back"
    OWN = "a file of warpcore's own, which no peer has named, is written, deleted, or read back"


class PathOutsideError(ValueError):
    """A name that is a path: it leads out of the directory that it belongs to, or into warpcore's own files."""


@dataclass(frozen=True, slots=True)
class Readable:
    """What a session may read beside its data and processing directories, as the person says who starts it."""

    references: tuple[str, ...] = ()
    follow_links: bool = False


NOTHING_MORE = Readable()


@dataclass(frozen=True, slots=True)
class Allowed:
    """`home` is the directory as it is named: that of the data, else the one with the results.

    `folders` are the real paths of all folders that may be read, or of the one with the results. `follow_links`: links
    in the data directory may lead anywhere, but not to files of the system or of warpcore.
    """

    home: str
    folders: tuple[str, ...]
    follow_links: bool = False
    access: Access = Access.READ

    def fault(self, path: str, real: str, foreign_link: str = "") -> str:
        """Why this may not be done with the file at `path`, which really lies at `real`; "" where it may.

        Both are absolute. `foreign_link` is a link of another user on the way to a result, "" without one.
        """
        if is_of_the_system(real):
            return "belongs to the operating system, and is never read or written"
        if self.access in (Access.RESULT, Access.OWN):
            return self._fault_of_result(path, real, foreign_link)
        holding = [folder for folder in self.folders if is_below(real, folder)]
        if any(not is_own(real[len(folder) :]) for folder in holding):
            return ""
        if holding or is_own(real):
            return _LIES_IN_OWN
        if self.access is Access.SERVE:
            return "is a link out of the processing directory, which is not followed"
        if not is_below(path, self.home):
            return "lies in no folder that this session may read; start the session with --references FOLDER to add one"
        if not self.follow_links:
            return "is a link out of the data directory, which is not followed; start the session with --follow-links"
        return ""

    def _fault_of_result(self, path: str, real: str, foreign_link: str) -> str:
        """Through links of this user or root it may lie anywhere, but not among the system's files or our own."""
        name = path[len(self.home) :].lstrip("/")
        if not is_below(path, self.home) or "\0" in name or (".." in name and ".." in name.split("/")):
            return "is not a path inside the processing directory"
        first, _, rest = name.partition("/")
        if is_own_name(first) is not (self.access is Access.OWN) or is_own(rest):
            return _LIES_IN_OWN
        if foreign_link:
            return "a link of another user, which is not written through"
        if self.access is Access.RESULT and real != path:
            holding = [folder for folder in self.folders if is_below(real, folder)]
            if is_own(real[max(map(len, holding), default=0) :]):
                return _LIES_IN_OWN
        return ""


_LIES_IN_OWN = f"lies in {OWN_FOLDER}, where warpcore alone has its files"


def allowed_below(
    data: str | os.PathLike[str],
    processing: str | os.PathLike[str],
    references: Iterable[str | os.PathLike[str]] = (),
    *,
    follow_links: bool = False,
) -> Allowed:
    """What may be read below these directories. Each may itself be a link, which is followed once, here.

    References never lie in warpcore's own folders, so that to name a key of another session opens none of them.
    """
    named = [real for real in map(os.path.realpath, references) if not is_own(real)]
    folders = dict.fromkeys((os.path.realpath(data), os.path.realpath(processing), *named))
    return Allowed(os.path.abspath(data), tuple(folders), follow_links)


def served_below(folder: str | os.PathLike[str]) -> Allowed:
    """What is sent of the results in a folder, which may be that of a try."""
    return Allowed(os.path.abspath(folder), (os.path.realpath(folder),), access=Access.SERVE)


def results_below(processing: str | os.PathLike[str], access: Access = Access.RESULT) -> Allowed:
    """Where results, or warpcore's own files, may be written and read back."""
    return Allowed(os.path.abspath(processing), (os.path.realpath(processing),), access=access)


def inside(directory: Path, relative_path: str) -> Path:
    """`directory / relative_path`, for a name from elsewhere.

    Raises PathOutsideError where that is absolute, leads outside or holds a NUL.
    """
    pure = PurePosixPath(relative_path)
    if pure.is_absolute() or ".." in pure.parts or "\0" in relative_path or not pure.parts:
        raise PathOutsideError(f"{relative_path!r} is not a path inside {directory}")
    return directory / pure


def is_output(relative_path: str) -> bool:
    """Whether a name can be that of an output: inside the processing directory, and in no folder of our own."""
    try:
        return not is_own(str(inside(Path("/"), relative_path)))
    except PathOutsideError:
        return False


def is_own(path: str) -> bool:
    """Whether a folder of a path, or the file, is our own: where file systems leave case aside, in any case."""
    if path.isascii() and OWN_FOLDER not in path.lower():
        return False  # all but always, and in a tenth of the time
    return any(map(is_own_name, path.split("/")))


def is_own_name(name: str) -> bool:
    """Whether a file system may take this for the name of our own folder.

    Those that leave case aside compare by Unicode's rules, without characters that show nothing (ext4, HFS+).
    """
    if name.isascii():
        return name.lower() == OWN_FOLDER
    shown = (one for one in unicodedata.normalize("NFKC", name) if unicodedata.category(one) != "Cf")
    return "".join(shown).casefold() == OWN_FOLDER


def is_of_the_system(real: str) -> bool:
    """Whether a real path is one of the operating system's own: accounts, devices, processes."""
    if not real.startswith(_OF_THE_SYSTEM):
        return False
    return is_below(real, *_OF_THE_SYSTEM) and not is_below(real, _SHARED_MEMORY)


def is_below(path: str, *folders: str) -> bool:
    """Whether an absolute path is one of these folders, or below one."""
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in folders)


def folders_of(files: Iterable[str]) -> list[str]:
    """The folders of files that a person has named: that of the name, and that of the file where the name is a link."""
    found: dict[str, None] = {}
    for file in files:
        found[os.path.dirname(os.path.abspath(file))] = None
        found[os.path.dirname(os.path.realpath(file))] = None
    return list(found)
