"""What a worker may report as evidence."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from warpcore.services.session.learning import evidence_in

LARGEST_EVIDENCE_BYTES = 65_536
"""Of all steps of a movie. It is stored with the movie, and travels with its tasks until there is a choice."""


def evidence_fault(results: dict[str, Any]) -> str:
    """Why reported evidence cannot be stored, "" where it can. Raises TypeError for what is no JSON."""
    told = {step: evidence for step, evidence in evidence_in(results).items() if evidence is not None}
    if not told:
        return ""
    for step, evidence in told.items():
        if not isinstance(evidence, dict):
            return f"evidence of {step} is not a map"
    json.dumps(told)
    size = len(msgspec.msgpack.encode(told))
    return f"evidence of {size} bytes, more than {LARGEST_EVIDENCE_BYTES}" if size > LARGEST_EVIDENCE_BYTES else ""
