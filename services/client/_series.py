"""Columns of all movies as numpy arrays, from the binary series that docs/rest.md describes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from warpcore.services.client._errors import ClientError

MAGIC = b"WCS1"
MISSING = -(2**31)

Column = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Series:
    """Columns by name, all of the same length, as of change `seq` of the change log `epoch`; movies in order of `id`.

    Numbers are float64, NaN where nothing was measured; `id`, `generation` and `added` are uint32; words and names are
    arrays of str, "" for none. `full` says that all movies are there, and not only those that have changed.
    """

    seq: int
    epoch: str
    full: bool
    columns: Mapping[str, Column]

    @staticmethod
    def decode(data: bytes) -> Series:
        """Read a series. Raises ClientError for what is none."""
        try:
            return Series._decoded(data)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError):
            raise ClientError(
                "the API has answered with something else than a series; is it of the same version?"
            ) from None

    @staticmethod
    def _decoded(data: bytes) -> Series:
        if data[:4] != MAGIC:
            raise ValueError("another beginning")
        begin = 8 + int.from_bytes(data[4:8], "little")
        header = json.loads(data[8:begin])
        count, body = header["count"], memoryview(data)[begin:]
        columns = {one["name"]: _column(one, body[one["offset"] :][: one["bytes"]], count) for one in header["columns"]}
        order = np.argsort(columns["id"], kind="stable")
        in_order = {name: values[order] for name, values in columns.items()}
        return Series(header["seq"], header["epoch"], header["full"], in_order)

    def updated(self, newer: Series) -> Series:
        """This series with the rows of a later one of the same columns in their places."""
        if newer.full:
            return newer
        stay = ~np.isin(self["id"], newer["id"])
        joined = {name: np.concatenate([values[stay], newer[name]]) for name, values in self.columns.items()}
        order = np.argsort(joined["id"], kind="stable")
        return Series(newer.seq, newer.epoch, self.full, {name: values[order] for name, values in joined.items()})

    def __getitem__(self, name: str) -> Column:
        """A column. Raises KeyError, which names those that there are."""
        if name not in self.columns:
            raise KeyError(f"{name} is not among the columns {', '.join(self.columns)}")
        return self.columns[name]

    def __len__(self) -> int:
        """How many movies there are."""
        return len(self.columns["id"])


def _column(described: Mapping[str, Any], raw: memoryview, count: int) -> Column:
    match described["kind"]:
        case "u32":
            return np.frombuffer(raw, "<u4")
        case "text":
            return np.array(bytes(raw).decode().split("\n") if count else [], dtype=np.str_)
        case "word":
            width = described["width"]
            places = np.frombuffer(raw, f"<u{width}").astype(np.intp)
            words = np.array([*described["words"], ""], dtype=np.str_)
            return words[np.where(places == 256**width - 1, -1, places)]
        case _:
            planes = np.frombuffer(raw, np.uint8).reshape(4, count)
            whole = np.ascontiguousarray(planes.T).view("<i4").ravel()
            return np.where(whole == MISSING, np.nan, whole / 10.0 ** described["digits"])
