"""A load in which every value is known, whatever its fields are."""

from __future__ import annotations

from typing import Any, get_type_hints

from warpcore.bus.messages import Load
from warpcore.bus.vocabulary import Throttling


def everything() -> Load:
    """Each number is another one."""
    words = [Throttling.HEAT, Throttling.POWER_CAP]
    values: dict[str, Any] = {
        name: number if int in hint.__args__ else words
        for number, (name, hint) in enumerate(get_type_hints(Load).items(), 1)
        if name in Load.__struct_fields__
    }
    return Load(**values)
