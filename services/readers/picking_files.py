"""Checks of the files that picking's settings name: templates, maps, a network's weights."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np

from warpcore.services.readers.mrc import parse_mrc_header
from warpcore.services.readers.numpy_files import read_npz
from warpcore.services.session.errors import InputError
from warpcore.services.session.opening import open_file, read_bytes
from warpcore.services.session.settings import PickingSettings

WEIGHTS_FORMAT = "warpcore-picker-3"
_LAYOUT = "c1d6b984b7e2dd10"
"""`layout` of that format's parameters."""
_LARGEST_WEIGHTS = 64 << 20
_LARGEST_HASHED = (4 << 30) + (1 << 20)
"""Bytes of a map of 1024³ px in float32, and of its header."""
_CHUNK_BYTES = 1 << 20
_NO_WEIGHTS = "is not a picker's weights file; give one that `warpcore picker train` wrote"
_LEAST_TEMPLATE = 4


def check_templates(settings: PickingSettings) -> None:
    """Check that `templates_path` is an MRC stack of square images with a pixel size.

    Raises InputError, whose text does not name the setting.
    """
    header = parse_mrc_header(Path(settings.templates_path or ""))
    if header.pixel_size_angstrom is None or header.pixel_size_angstrom <= 0:
        raise InputError("has no pixel size in its header")
    if header.width != header.height or header.width < _LEAST_TEMPLATE:
        raise InputError(
            f"is not a stack of square images of at least {_LEAST_TEMPLATE} px: {header.width} × {header.height} px"
        )


def read_weights(path: Path) -> bytes:
    """The bytes of a file that `warpcore picker train` wrote.

    Raises InputError, whose text does not name the setting, and OSError.
    """
    content = _content_of_weights(path)
    try:
        arrays = read_npz(content, _LARGEST_WEIGHTS)
        about = json.loads(arrays.pop("about").tobytes())
    except (KeyError, ValueError, RecursionError):  # what a library says may show what is in it
        raise InputError(_NO_WEIGHTS) from None
    found = about.get("format") if isinstance(about, dict) else None
    if found != WEIGHTS_FORMAT:
        raise InputError(f"holds weights of another format; train it again, {WEIGHTS_FORMAT!r} is needed")
    if layout({name: array.shape for name, array in arrays.items()}) != _LAYOUT:
        raise InputError("holds weights of another network: names or shapes differ")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise InputError("holds non-finite weights")
    if not isinstance(about.get("calibration"), dict):
        raise InputError("holds no calibration of its scores")
    return content


def _content_of_weights(path: Path) -> bytes:
    """The bytes of a zip archive that holds no more than it may when it is unpacked."""
    content = read_bytes(path, _LARGEST_WEIGHTS)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked_bytes = sum(member.file_size for member in archive.infolist())
    except Exception:  # noqa: BLE001  damaged archives raise many kinds
        raise InputError(_NO_WEIGHTS) from None
    if unpacked_bytes > _LARGEST_WEIGHTS:
        raise InputError("is too large for a picker's weights file")
    return content


def layout(shapes: dict[str, tuple[int, ...]]) -> str:
    """A short name for a network's parameters, from their names and shapes."""
    text = ";".join(f"{name}:{','.join(map(str, shape))}" for name, shape in sorted(shapes.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def content_hash(path: Path) -> str:
    """The first half of a file's SHA-256: equal for equal content. Raises OSError; InputError for a huge file."""
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > _LARGEST_HASHED:
            raise InputError(f"{path}: has more than {_LARGEST_HASHED} bytes")
        digest = hashlib.sha256()
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()[:32]
