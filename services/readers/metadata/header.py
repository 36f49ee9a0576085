"""What a movie file says of itself."""

from __future__ import annotations

from pathlib import Path

from warpcore.bus.messages.acquisition import Header
from warpcore.services.readers.movies import read_header
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings

_AS_STORED = ImportSettings(eer_groups=None)


def file_header(path: Path) -> Header | None:
    """All frames of a movie file and their size, whatever the settings; of an EER its raw frames and physical pixels.

    None where it cannot be read, which whoever loads the movie tells.
    """
    try:
        found = read_header(path, _AS_STORED)
    except (InputError, OSError, MemoryError):
        return None
    return Header(found.frames, found.height, found.width, found.pixel_size_angstrom, path.suffix.lower() == ".eer")
