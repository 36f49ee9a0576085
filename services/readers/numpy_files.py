"""NumPy's `.npy` and `.npz` read without pickle, and without memory for more values than a file holds."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.services.session.errors import InputError


def read_npy(data: bytes) -> npt.NDArray[Any]:
    """The array of a `.npy`. Raises InputError, whose text has no file's name."""
    with _damage_told():
        file = BytesIO(data)
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if math.prod(shape) * dtype.itemsize > len(data):
            raise ValueError(f"its header says {shape} values of {dtype.itemsize} bytes in a file of {len(data)}")
        file.seek(0)
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))


def read_npz(data: bytes, most_bytes: int) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a `.npz` by name, which take at most `most_bytes` in all. Raises InputError as `read_npy`."""
    with _damage_told(), zipfile.ZipFile(BytesIO(data)) as archive:
        entries = archive.infolist()
        unpacked_bytes = sum(entry.file_size for entry in entries)
        if unpacked_bytes > most_bytes:
            raise ValueError(f"it unpacks to {unpacked_bytes} bytes, and at most {most_bytes} are read")
        return {entry.filename.removesuffix(".npy"): read_npy(archive.read(entry)) for entry in entries}


@contextmanager
def _damage_told() -> Iterator[None]:
    """Turn whatever zip, its codecs, and the parser of headers raise into an InputError."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  headers are parsed as Python; nobody documents what that raises
        raise InputError(f"{type(error).__name__}: {error}") from None
