"""Reads the binary series as docs/rest.md describes it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

MISSING = -(2**31)


class Series:
    """A series: its header, and each column as plain values (None: none)."""

    def __init__(self, data: bytes) -> None:
        assert data[:4] == b"WCS1"
        length = int.from_bytes(data[4:8], "little")
        self.header: dict[str, Any] = json.loads(data[8 : 8 + length])
        body = data[8 + length :]
        assert (8 + length) % 8 == 0
        self.columns = {one["name"]: self._read(one, body) for one in self.header["columns"]}

    def rows(self) -> dict[int, dict[str, Any]]:
        """The movies by number."""
        names = list(self.columns)
        table = zip(*self.columns.values(), strict=True)
        return {row[0]: dict(zip(names, row, strict=True)) for row in table}

    def _read(self, column: dict[str, Any], body: bytes) -> list[Any]:
        count = self.header["count"]
        raw = body[column["offset"] : column["offset"] + column["bytes"]]
        match column["kind"]:
            case "u32":
                return np.frombuffer(raw, "<u4").tolist()
            case "text":
                return raw.decode().split("\n") if count else []
            case "word":
                places = np.frombuffer(raw, f"<u{column['width']}")
                none = 2 ** (8 * column["width"]) - 1
                return [None if place == none else column["words"][place] for place in places]
            case _:
                planes = np.frombuffer(raw, np.uint8).reshape(4, count)
                whole = np.ascontiguousarray(planes.T).view("<i4").ravel()
                return [None if one == MISSING else int(one) / 10 ** column["digits"] for one in whole]
