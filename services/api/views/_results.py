"""JSON Schemas of a movie's results, from what the steps declare of their columns."""

from __future__ import annotations

from typing import Any, get_type_hints

from warpcore.services.api.views._naming import camel
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.columns import Column, Result
from warpcore.services.steps.place import PlaceResult
from warpcore.services.steps.run import RunResult
from warpcore.services.steps.source import InputResult
from warpcore.services.steps.step import INPUT, PLACE, RUN

REFERENCE = "#/components/schemas/Results"


def results_schemas() -> dict[str, Any]:
    """By name `Results` and each step's. A result of another version may lack some values, and any can be null."""
    kinds: dict[str, type[Result]] = {
        INPUT: InputResult,
        **{step.name: step.result for step in CHAIN},
        PLACE: PlaceResult,
        RUN: RunResult,
    }
    by_step = {name: {"$ref": f"#/components/schemas/{kind.__name__}"} for name, kind in kinds.items()}
    whole = {"type": "object", "description": "What was measured, by step.", "properties": by_step}
    return {"Results": whole, **{kind.__name__: _result_schema(name, kind) for name, kind in kinds.items()}}


def _result_schema(step: str, kind: type[Result]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    own = [one for one in CHAIN.columns if one.step == step and one.compute is None]
    columns = {camel(one.field): _column_schema(one, str(hints.get(one.field, float))) for one in own}
    return {"type": "object", "description": (kind.__doc__ or "").partition("\n")[0], "properties": columns}


def _column_schema(column: Column, hint: str) -> dict[str, Any]:
    unit = f", {column.unit}" if column.unit else ""
    kind = "string" if "str" in hint else "boolean" if "bool" in hint else "number"
    description = f"{column.description[:1].upper()}{column.description[1:]}{unit}."
    return {"anyOf": [{"type": kind}, {"type": "null"}], "description": description}
