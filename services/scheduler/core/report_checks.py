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
from warpcore.services.session.filtering import filter_reasons
from warpcore.services.session.learning import without_evidence
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Result, result_fault
from warpcore.services.steps.source import InputResult
from warpcore.services.steps.step import INPUT

LARGEST_RESULTS_BYTES = 32_768
LARGEST_OUTPUTS_BYTES = 65_536


def finite(value: Any) -> Any:
    """Plain values with null in place of NaN and infinity, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return value


def report_fault(state: State, task: TaskRecord, message: wire.TaskFinished) -> str:
    """Why a report, of which NaN was taken out, cannot be right; "" where nothing speaks against it."""
    missing = [step for step in task.run if step not in message.ran]
    if missing:
        return f"{', '.join(missing)} was to run and did not"
    for step in (INPUT, *CHAIN.names):
        if not isinstance(message.results.get(step, {}), dict):
            return f"results of {step} are not a map"
    if task.kind is not Purpose.EXPORT:
        absent = [step for step in task.run if step not in message.results]
        if absent:
            return f"no results of {', '.join(absent)}"
    forms: dict[str, type[Result]] = {INPUT: InputResult, **{step.name: step.result for step in CHAIN}}
    for step in message.results.keys() & forms.keys():
        if fault := result_fault(forms[step], message.results[step]):
            return f"results of {step}: {fault}"
    size = views.packed_size(without_evidence(message.results))
    if size > LARGEST_RESULTS_BYTES:
        return f"results of {size} bytes"
    if views.packed_size(message.outputs) > LARGEST_OUTPUTS_BYTES:
        return f"outputs of {views.packed_size(message.outputs)} bytes"
    try:
        filter_reasons(message.results, state.settings.filter)
        if fault := _value_fault(message.results) or evidence_fault(message.results):
            return fault
        paths_of(message.outputs, state.movies[task.movie].name, task.suffix)
    except (TypeError, ValueError) as error:
        return str(error)
    return ""


def _value_fault(results: dict[str, Any]) -> str:
    """Why no list or table can hold a measured value. Raises TypeError, ValueError where none can be computed."""
    for column in CHAIN.columns:
        value = column.value(results)
        if value is not None and not column.is_text and not isinstance(value, (int, float)):
            return f"{column.name} is {str(value)[:80]!r}, which is no number"
    return ""
