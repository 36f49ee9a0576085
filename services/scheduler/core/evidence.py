"""The evidence of movies inside their results: what of it can be, and results without it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgpack

from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.learning import EVIDENCE

LARGEST_EVIDENCE_BYTES = 65_536
"""Of all steps of a movie. It is stored with the movie, and travels with its tasks until there is a choice."""


def without_evidence(results: dict[str, Any]) -> dict[str, Any]:
    """Summaries as others see them: what a movie's steps tell for the session's choices stays in the scheduler."""
    told = dict(_told(results))
    if not told:
        return results
    return {
        step: {name: value for name, value in summary.items() if name != EVIDENCE} if step in told else summary
        for step, summary in results.items()
    }


def evidence_fault(results: dict[str, Any]) -> str:
    """Why reported evidence cannot be stored, "" where it can. Raises TypeError for what is no JSON."""
    told = {step: evidence for step, evidence in _told(results) if evidence is not None}
    for step, evidence in told.items():
        if not isinstance(evidence, dict):
            return f"evidence of {step} is not a map"
    json.dumps(told)
    size = len(msgpack.packb(told))
    return f"evidence of {size} bytes, more than {LARGEST_EVIDENCE_BYTES}" if size > LARGEST_EVIDENCE_BYTES else ""


def _told(results: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The evidence of each step that learns, None included."""
    for step, summary in results.items():
        if summary and EVIDENCE in summary and step in CHAIN and CHAIN[step].learning is not None:
            yield step, summary[EVIDENCE]
