"""Checks of the files that picking's settings name: templates, maps, a network's weights."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np

from warpcore.services.readers.mrc import parse_mrc_header
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import PickingSettings

WEIGHTS_FORMAT = "warpcore-picker-3"
_LAYOUT = "c1d6b984b7e2dd10"
"""`layout` of that format's parameters."""
_LARGEST_WEIGHTS = 64 << 20
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


def check_weights(settings: PickingSettings) -> None:
    """Check that `weights_path` is a file that `warpcore picker train` wrote.

    Raises InputError, whose text does not name the setting.
    """
    path = Path(settings.weights_path or "")
    if path.stat().st_size > _LARGEST_WEIGHTS:
        raise InputError("is too large for a picker's weights file")
    try:
        archive = np.load(io.BytesIO(path.read_bytes()), allow_pickle=False)
        about = json.loads(archive["about"].tobytes())
        arrays = {name: archive[name] for name in archive.files if name != "about"}
    except (ValueError, KeyError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"is not a picker's weights file ({error}); give one that `warpcore picker train` wrote"
        ) from None
    found = about.get("format") if isinstance(about, dict) else None
    if found != WEIGHTS_FORMAT:
        raise InputError(f"holds weights of format {found!r}; train it again, {WEIGHTS_FORMAT!r} is needed")
    if layout({name: array.shape for name, array in arrays.items()}) != _LAYOUT:
        raise InputError("holds weights of another network: names or shapes differ")
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise InputError("holds non-finite weights")
    if not isinstance(about.get("calibration"), dict):
        raise InputError("holds no calibration of its scores")


def layout(shapes: dict[str, tuple[int, ...]]) -> str:
    """A short name for a network's parameters, from their names and shapes."""
    text = ";".join(f"{name}:{','.join(map(str, shape))}" for name, shape in sorted(shapes.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def content_hash(path: Path) -> str:
    """The first half of a file's SHA-256: equal for equal content. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
