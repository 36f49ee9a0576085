"""What workers report of finished tasks, for tests that play one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.services.memory_files import MemoryFiles
from warpcore.services.session.declared import Reported, staged_name
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.source import InputResult
from warpcore.services.steps.step import INPUT


def whole(results: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Results by step with null for each value that is not given."""
    forms = {INPUT: InputResult, **{step.name: step.result for step in CHAIN}}
    return {
        step: {**(forms[step].unmeasured().to_dict() if step in forms else {}), **values}
        for step, values in results.items()
    }


def made(*steps: str) -> dict[str, dict[str, int | None]]:
    """A report of outputs: the first file that each step declares, of 8 bytes."""
    return {step: {CHAIN[step].outputs[0].pattern: 8} for step in steps}


def write_staged(files: MemoryFiles, lease: int, reported: Reported) -> None:
    """Write what a worker reports into the folder of its lease."""
    for step, outputs in reported.items():
        for pattern, size in outputs.items():
            if size is not None:
                name = staged_name(step, pattern)
                files.stage(lease, {name: f"{lease}".encode().ljust(size)})
