"""Every day: the kept inputs of all decoders, and damaged ones that are others each day."""

from __future__ import annotations

import os
import time

import pytest

from tests.fuzz import planted
from tests.fuzz.decoders import DECODERS
from tests.fuzz.failing import written
from tests.fuzz.fuzzing import fuzz

SEED = int(os.environ.get("WARPCORE_FUZZ_SEED", time.time() // 86_400))
"""By default the number of the day, counted from 1970."""


@pytest.mark.timeout(1200)  # half a minute of CPU time, for which a busy machine takes its time
def test_whatever_the_bytes_are_a_decoder_ends_as_it_documents() -> None:
    chosen = [one for one in DECODERS.values() if one.read.__module__ != planted.__name__]
    assert len(chosen) > 40
    tallies = fuzz(chosen, SEED)
    told = [
        f"{name}: {fault}\n    {written(name, data)}\n    {data!r:.600}"
        for name, tally in tallies.items()
        for fault, data in tally.faults.items()
    ]
    assert not told, "\n".join([*told, f"All inputs of this day again: WARPCORE_FUZZ_SEED={SEED} pytest {__file__}"])
    for one in chosen:
        tally = tallies[one.name]
        assert tally.calls > one.calls, one.name
        assert tally.refused < tally.calls, f"{one.name} reads nothing"
        assert tally.refused > 0 or not one.refusals, f"{one.name} refuses nothing"
