"""Whether what a worker reports of a finished task can be right."""

from __future__ import annotations

import math
from typing import Any

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import Purpose
from warpcore.services.scheduler.core import views
from warpcore.services.scheduler.core.evidence import evidence_fault
from warpcore.services.scheduler.core.records import TaskRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.declared import paths_of
from warpcore.services.session.learning import without_evidence
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import result_fault

LARGEST_RESULTS_BYTES = 32_768
LARGEST_OUTPUTS_BYTES = 65_536
_LOOKED_INTO = frozenset({float, dict, list})
"""Types of values that can be, or hold, no finite number: whole numbers and texts cost no call."""


def finite(value: Any) -> Any:
    """Plain values with null in place of NaN and infinity, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(one) if type(one) in _LOOKED_INTO else one for name, one in value.items()}
    if isinstance(value, list):
        return [finite(one) if type(one) in _LOOKED_INTO else one for one in value]
    return value


def report_fault(state: State, task: TaskRecord, message: wire.TaskFinished) -> str:
    """Why a report, of which NaN was taken out, cannot be right; "" where nothing speaks against it."""
    missing = [step for step in task.run if step not in message.ran]
    if missing:
        return f"{', '.join(missing)} was to run and did not"
    if task.kind is not Purpose.EXPORT:
        absent = [step for step in task.run if step not in message.results]
        if absent:
            return f"no results of {', '.join(absent)}"
    for step, form in CHAIN.forms.items():
        if step in message.results and (fault := result_fault(form, message.results[step])):
            return f"results of {step}: {fault}"
    for step, values in message.results.items():
        if not isinstance(values, dict):
            return f"results of {step[:100]} are no map"
    size = views.packed_size(without_evidence(message.results))
    if size > LARGEST_RESULTS_BYTES:
        return f"results of {size} bytes"
    size = views.packed_size(message.outputs)
    if size > LARGEST_OUTPUTS_BYTES:
        return f"outputs of {size} bytes"
    try:
        state.filter.reasons(message.results)
        if fault := _value_fault(message.results) or evidence_fault(message.results):
            return fault
        paths_of(message.outputs, state.movies[task.movie].name, task.suffix)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def _value_fault(results: dict[str, Any]) -> str:
    """Why no list or table can hold a measured value. Raises TypeError, ValueError where none can be computed.

    Fields that can only be numbers were checked with their step's results.
    """
    for column in CHAIN.columns:
        if column.is_number or column.is_text or column.step not in results:
            continue
        value = column.value(results)
        if value is not None and not isinstance(value, (int, float)):
            return f"{column.name} is {str(value)[:80]!r}, which is no number"
    return ""
