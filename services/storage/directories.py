"""Whether a folder is still the one that it was: a file system that was unmounted leaves an empty one behind. Pure."""

from __future__ import annotations

from dataclasses import dataclass

Identity = tuple[int, int]
"""Device and inode of a folder."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A folder as it is now. `known_is_there`: a file that should lie in it does; None where no file is known.

    `is_needed`: something waits to be read from it.
    """

    identity: Identity
    is_empty: bool
    known_is_there: bool | None
    is_needed: bool = True


def why_another(former: Identity | None, now: Sighting) -> str:
    """Why the folder is not the one that it was at the last good look, "" where it is.

    A file system that comes back may have another device number; a file that is known to lie there then proves it. The
    same folder without that file is still the same: somebody has deleted the file. Where nothing waits to be read,
    another folder with files in it is taken as well: to wait for files that nobody needs would be to wait for ever.
    """
    if now.known_is_there is not False or now.identity == former:
        return ""
    if now.is_empty and (former is not None or now.is_needed):
        return "it is empty, as if its file system were not mounted"
    if not now.is_empty and former is not None and now.is_needed:
        return "another folder lies there, without this session's files"
    return ""
