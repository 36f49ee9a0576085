"""The session holds under any faults: a few hundred seeds every day, ten thousand by `make simulate`."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.simulation.faults import KINDS, Fault, read, schedule, written
from tests.simulation.shrinking import shrink, told
from tests.simulation.world import Outcome, World, run

RUNS_A_TEST = 25
TESTS = 8
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("portion", range(TESTS))
def test_all_invariants_hold_whatever_fails(portion: int) -> None:
    for seed in range(portion * RUNS_A_TEST, (portion + 1) * RUNS_A_TEST):
        outcome = run(seed)
        if outcome.broken:
            pytest.fail(told(shrink(outcome)))


FOUND = {
    "outputs that were being placed when the scheduler died": (
        27,
        "unmount@16.23:all:23.08:317 die@18.89:scheduler:0.84:138",
    ),
    "outputs that were written where a mount was gone": (1033, "unmount@11.88:all:22.65:283"),
    "a folder that was away before a full disk let its token be written": (
        323,
        "full@16.34:session:6.34:394 power@17.93:session:4.26:312 unmount@23.46:all:6.51:175",
    ),
    "outputs whose mount went while they were being placed": (
        2307,
        "settings@10.57:session:28.19:352 unmount@18.83:all:17.66:85",
    ),
    "lists that were written where a mount was gone": (
        46,
        "unmount@10.65:w1:2.73:350 unmount@32.78:all:36.52:105",
    ),
    "lists that were to be written again, unchanged, when a mount was back": (
        3503,
        "weather@3.40:session:4.37:348 weather@10.86:session:5.34:273 pause@14.39:session:3.69:394 "
        "unmount@16.75:all:18.46:387 compute-dies@35.55:w1:0.99:320",
    ),
}
"""What the simulation has found, as it shrank: a seed and its faults."""


@pytest.mark.parametrize("what", FOUND)
def test_what_the_simulation_has_found_stays_mended(what: str) -> None:
    seed, faults = FOUND[what]
    assert run(seed, read(faults)).broken == ""


def test_a_file_is_found_soon_after_the_storage_has_hung() -> None:
    faults = "hang@32.29:session:14.26:64 replace@52.35:m2.tif:0.62:59"
    outcome = run(5280, read(faults))
    assert outcome.broken == ""
    assert outcome.simulated_s < 85, "a scan that hung for 14 s is not followed by a pause of 56 s"


def test_a_session_without_faults_processes_all_movies() -> None:
    assert run(1, []).broken == ""


def replayed(seeds: Iterable[int]) -> list[tuple[str, int, float]]:
    """What tells one run from another: trace, frames, simulated seconds."""
    return [(one.digest, one.frames, one.simulated_s) for one in map(run, seeds)]


def test_a_seed_replays_exactly_in_another_process_too() -> None:
    seeds = (3, 4, 6488)  # in the last one a service asks again, after a pause at random
    code = f"from tests.simulation.test_simulation import replayed; print(replayed({seeds}))"
    told_by = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert told_by == {str(replayed(seeds))}


def drawn(seed: int) -> list[Fault]:
    """The faults of a seed's session."""
    world = World(seed)
    return schedule(world.simulator.stream("faults"), world.worker_names, world.movies)


def test_all_kinds_of_faults_are_tried_by_the_everyday_seeds() -> None:
    assert {fault.kind for seed in range(TESTS * RUNS_A_TEST) for fault in drawn(seed)} == set(KINDS)


def test_faults_can_be_written_down_and_read() -> None:
    assert str(Fault(12.5, "kill", "scheduler", 3.25, 7)) == "kill@12.50:scheduler:3.25:7"
    for seed in range(TESTS * RUNS_A_TEST):
        assert read(written(drawn(seed))) == drawn(seed)


def test_shrinking_leaves_the_faults_without_which_a_run_does_not_fail() -> None:
    faults = [Fault(float(number), "kill", "scheduler", 1.0, number) for number in range(9)]
    needed = [faults[2], faults[7]]

    def run_again(seed: int, tried: list[Fault]) -> Outcome:
        return Outcome(seed, tried, "files: wrong" if set(needed) <= set(tried) else "order: another")

    assert shrink(Outcome(1, faults, "files: x"), run_again).faults == needed
