"""The simulation finds six faults of earlier versions again, where their mending is undone."""

from __future__ import annotations

import pytest

from tests.simulation.mutants import MUTANTS, Mutant, undone
from tests.simulation.world import run

MOST_SEEDS = 200
"""Each is found within so many."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: f"point {mutant.point}")
def test_the_simulation_finds_what_was_mended_once_its_mending_is_undone(mutant: Mutant) -> None:
    with undone(mutant):
        ends = (run(seed, kinds=mutant.kinds).broken for seed in range(MOST_SEEDS))
        assert any(broken.startswith(f"{mutant.breaks}:") for broken in ends), f"{mutant.undone}: not found"
