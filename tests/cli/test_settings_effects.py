"""What the command line says of a change of settings."""

from __future__ import annotations

from typing import Any

import pytest

from warpcore.bus.messages import SettingsEffect
from warpcore.cli.settings import effect_text


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ({"changed": []}, "these were the settings already: nothing runs"),
        ({}, "settings changed: no movie with results is touched"),
        (
            {"movies": 2, "runs": {"ctf": 2, "picking": 1}},
            "settings changed: 2 movies run again: ctf of 2, picking of 1",
        ),
        ({"kept": 4}, "settings changed: kept results fit 4 movies: nothing runs for them"),
        (
            {"rejected": 1, "accepted": 2, "retried": 3},
            "settings changed: the filter takes out 1 movie; the filter returns 2 movies; "
            "3 movies that failed are tried again",
        ),
    ],
)
def test_an_effect_is_told_in_one_line(counts: dict[str, Any], text: str) -> None:
    none = {"runs": {}, "movies": 0, "kept": 0, "rejected": 0, "accepted": 0, "retried": 0}
    assert effect_text(SettingsEffect(**{"changed": ["ctf.voltage"], **none, **counts})) == text
