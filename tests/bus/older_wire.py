"""Frames that an earlier version has sent: `fixtures/wire_1.jsonl`, written by `record_wire.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

FILE = Path(__file__).parent / "fixtures" / "wire_1.jsonl"


class Recorded(NamedTuple):
    """A frame as the map that it held. `to` is a port of the scheduler (`worker`, `control`), `peer`, `subscriber`."""

    to: str
    frame: dict[str, Any]

    @property
    def name(self) -> str:
        """For people: where to and what."""
        return f"{self.to} {self.frame['type']}"


def recorded() -> list[Recorded]:
    """All frames, in the order in which they were sent."""
    return [Recorded(**json.loads(line)) for line in FILE.read_text().splitlines()]
