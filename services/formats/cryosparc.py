"""cryoSPARC's datasets (`.cs`): numpy structured arrays with fields named `slot/value`, one row a thing.

Fields and types are those of cryosparc-tools 5.0 (`models/exposure.py`, `tools.py`, its tests' datasets), which saves
them by `numpy.save` with texts as bytes of fixed length. Defocus and its angle are RELION's (in radians), as in pyem's
`csparc2star`. A coordinate is RELION's as a fraction of the image, Y not turned, as in the example of cryosparc-tools
that picks with crYOLO: both programs count rows of an MRC from the first.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from warpcore.services.readers.numpy_files import read_npy
from warpcore.services.session.errors import InputError
from warpcore.services.session.paths import written_whole

Dataset = npt.NDArray[np.void]

_UID_PREFIX = re.compile(r"\d{15,}_")
"""Before the names of files that cryoSPARC has imported or made."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """A micrograph: its file as cryoSPARC is to find it, [NY, NX], Å, kV, mm, e⁻/Å².

    `mrc_mode` is 2 for float32, 12 for float16; `ctf` is None without a fit.
    """

    path: str
    shape: tuple[int, int]
    pixel_size_angstrom: float
    voltage_kv: float
    cs_mm: float
    amplitude_contrast: float
    dose: float
    group: int
    mrc_mode: int
    ctf: ExposureCtf | None


@dataclass(frozen=True, slots=True)
class ExposureCtf:
    """A fit as RELION has it: Å, degrees; `resolution_angstrom` None where none was reached."""

    defocus_u_angstrom: float
    defocus_v_angstrom: float
    angle_degrees: float
    phase_shift_degrees: float
    resolution_angstrom: float | None


def exposures_dataset(exposures: Sequence[Exposure], uids: Mapping[str, int] | None = None) -> Dataset:
    """The slots `micrograph_blob`, `mscope_params` and `ctf` of exposures that have a CTF.

    `uids` are those of exposures that cryoSPARC knows already, by file name; others get one from their path.
    """
    fitted = [(one, one.ctf) for one in exposures if one.ctf is not None]
    paths = [one.path for one, _ in fitted]
    columns: dict[str, tuple[str | tuple[str, tuple[int, ...]], list[Any]]] = {
        "uid": ("<u8", [_exposure_uid(path, uids) for path in paths]),
        "micrograph_blob/path": (_text(paths), [path.encode() for path in paths]),
        "micrograph_blob/idx": ("<u4", [0] * len(paths)),
        "micrograph_blob/shape": (("<u4", (2,)), [one.shape for one, _ in fitted]),
        "micrograph_blob/psize_A": ("<f4", [one.pixel_size_angstrom for one, _ in fitted]),
        "micrograph_blob/format": ("S6", [f"MRC/{one.mrc_mode}".encode() for one, _ in fitted]),
        "micrograph_blob/is_background_subtracted": ("<u4", [0] * len(paths)),
        "mscope_params/accel_kv": ("<f4", [one.voltage_kv for one, _ in fitted]),
        "mscope_params/cs_mm": ("<f4", [one.cs_mm for one, _ in fitted]),
        "mscope_params/total_dose_e_per_A2": ("<f4", [one.dose for one, _ in fitted]),
        "mscope_params/phase_plate": ("<u4", [int(ctf.phase_shift_degrees != 0) for _, ctf in fitted]),
        "mscope_params/neg_stain": ("<u4", [0] * len(paths)),
        "mscope_params/exp_group_id": ("<u4", [one.group for one, _ in fitted]),
        "ctf/type": ("S8", [b"imported"] * len(paths)),
        "ctf/exp_group_id": ("<u4", [one.group for one, _ in fitted]),
        "ctf/accel_kv": ("<f4", [one.voltage_kv for one, _ in fitted]),
        "ctf/cs_mm": ("<f4", [one.cs_mm for one, _ in fitted]),
        "ctf/amp_contrast": ("<f4", [one.amplitude_contrast for one, _ in fitted]),
        "ctf/df1_A": ("<f4", [ctf.defocus_u_angstrom for _, ctf in fitted]),
        "ctf/df2_A": ("<f4", [ctf.defocus_v_angstrom for _, ctf in fitted]),
        "ctf/df_angle_rad": ("<f4", [math.radians(ctf.angle_degrees) for _, ctf in fitted]),
        "ctf/phase_shift_rad": ("<f4", [math.radians(ctf.phase_shift_degrees) for _, ctf in fitted]),
        "ctf/ctf_fit_to_A": ("<f4", [ctf.resolution_angstrom or math.inf for _, ctf in fitted]),
    }
    return _dataset(columns)


def picks_dataset(
    exposure: Exposure, x_px: npt.ArrayLike, y_px: npt.ArrayLike, uids: Mapping[str, int] | None = None
) -> Dataset:
    """The slot `location` of the picks of one exposure, given in px of its image, the first pixel at 0."""
    x, y = (np.asarray(values, np.float64).reshape(-1) for values in (x_px, y_px))
    (height, width), count = exposure.shape, len(x)
    path = exposure.path
    columns: dict[str, tuple[str | tuple[str, tuple[int, ...]], Any]] = {
        "uid": ("<u8", [_uid(f"{path}\0{number}") for number in range(count)]),
        "location/micrograph_uid": ("<u8", [_exposure_uid(path, uids)] * count),
        "location/exp_group_id": ("<u4", [exposure.group] * count),
        "location/micrograph_path": (_text([path]), [path.encode()] * count),
        "location/micrograph_shape": (("<u4", (2,)), [exposure.shape] * count),
        "location/micrograph_psize_A": ("<f4", [exposure.pixel_size_angstrom] * count),
        "location/center_x_frac": ("<f4", x / width),
        "location/center_y_frac": ("<f4", y / height),
    }
    return _dataset(columns)


def joined(datasets: Sequence[Dataset]) -> Dataset:
    """Datasets of the same fields as one, with texts as long as the longest."""
    return np.concatenate([one for one in datasets if len(one)] or list(datasets[:1]))


def write_dataset(path: Path, dataset: Dataset) -> None:
    """Write a `.cs` file, equal bytes for an equal dataset."""
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.save(file, dataset, allow_pickle=False)


def read_exposure_uids(path: Path) -> dict[str, int]:
    """The uid of each exposure in a dataset of cryoSPARC's, by the file name that it was imported with.

    Raises InputError for a file that is none, or whose names are not unique; OSError where it cannot be read.
    """
    try:
        data = read_npy(path.read_bytes())
        names = [imported_name(bytes(one).decode()) for one in data["micrograph_blob/path"]]
        found = dict(zip(names, map(int, data["uid"]), strict=True))
    except (ValueError, IndexError, TypeError) as error:  # numpy's for an array without fields, or with others
        raise InputError(
            f"{path}: not a dataset of exposures with micrograph_blob in numpy's form ({error}); export it from "
            "cryoSPARC, or save it with cryosparc-tools"
        ) from None
    if len(found) < len(names):
        raise InputError(f"{path}: several exposures have one file name, so they cannot be told apart by name")
    return found


def imported_name(path: str) -> str:
    """The name of a micrograph's file without the number that cryoSPARC puts before it."""
    return _UID_PREFIX.sub("", PurePosixPath(path).name, count=1)


def _exposure_uid(path: str, uids: Mapping[str, int] | None) -> int:
    known = None if uids is None else uids.get(PurePosixPath(path).name)
    return _uid(path) if known is None else known


def _uid(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _text(texts: Sequence[str]) -> str:
    return f"S{max((len(text.encode()) for text in texts), default=1)}"


def _dataset(columns: Mapping[str, tuple[str | tuple[str, tuple[int, ...]], Any]]) -> Dataset:
    kinds = [(name, kind) if isinstance(kind, str) else (name, *kind) for name, (kind, _) in columns.items()]
    dataset = np.zeros(len(columns["uid"][1]), np.dtype(kinds))
    for name, (_, values) in columns.items():
        if len(dataset):
            dataset[name] = values
    return dataset
