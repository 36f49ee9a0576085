"""The JSON Schema of a movie's results, from what the steps declare of their columns."""

from __future__ import annotations

from typing import Any, get_type_hints

from warpcore.services.api.views._naming import camel
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Column
from warpcore.services.steps.step import Step


def results_schema() -> dict[str, Any]:
    """By step an object with its columns. A result of another version may lack some, and any value can be null."""
    return {"properties": {step.name: _step_schema(step) for step in CHAIN}}


def _step_schema(step: Step) -> dict[str, Any]:
    hints = get_type_hints(step.result)
    columns = {camel(one.field): _column_schema(one, hints[one.field]) for one in step.columns if one.compute is None}
    about = (step.result.__doc__ or step.description).partition("\n")[0]
    return {"type": "object", "description": about, "properties": columns}


def _column_schema(column: Column, hint: Any) -> dict[str, Any]:
    unit = f", {column.unit}" if column.unit else ""
    kind = "string" if "str" in str(hint) else "boolean" if "bool" in str(hint) else "number"
    return {"type": [kind, "null"], "description": f"{column.description[:1].upper()}{column.description[1:]}{unit}."}
