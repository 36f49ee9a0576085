"""Files that picking's settings name, checked when they are named: templates, maps, a network's weights."""

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

WEIGHTS_FORMAT = "warpcore-picker-2"
_LAYOUT = "8d2effb0934eb7b5"  # of that format's parameters: `layout` of their names and shapes
_LARGEST_WEIGHTS = 64 << 20
_LEAST_TEMPLATE = 4


def check_templates(settings: PickingSettings) -> None:
    """Raises InputError, without the setting's name, where `templates_path` is no MRC stack of square images with a pixel size."""
    header = parse_mrc_header(Path(settings.templates_path or ""))
    if header.pixel_size_angstrom is None or header.pixel_size_angstrom <= 0:
        raise InputError("has no pixel size in its header")
    if header.width != header.height or header.width < _LEAST_TEMPLATE:
        raise InputError(
            f"is not a stack of square images of at least {_LEAST_TEMPLATE} px: {header.width} × {header.height} px"
        )


def check_weights(settings: PickingSettings) -> None:
    """Raises InputError, without the setting's name, where `weights_path` is no file of `warpcore picker train`."""
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
    """A file's SHA-256, shortened: what it holds, whenever and wherever it was written. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
