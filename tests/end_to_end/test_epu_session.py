"""A session in EPU's folders, of which no setting is given: RELION's files have its optics groups and its values."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import starfile

from warpcore.cli.simulation_epu import EpuLayout, simulate_epu
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.services.session.tables import CORRECTED, CTF, MOVIES, PROCESSED_ITEMS
from warpcore.services.tracker.documents import PROCESSED

VOLTAGE_KV, PIXEL_ANGSTROM, DOSE = 200.0, 1.6, 3.5
LISTS = {MOVIES: "rlnMicrographMovieName", CORRECTED: "rlnMicrographName", CTF: "rlnMicrographName"}

Wait = Callable[..., None]


def options(size: int, frames: int, particles: int = 30) -> SimulationOptions:
    """Movies of a microscope of which nothing is as warpcore would assume it."""
    return SimulationOptions(
        frames=frames,
        height=size,
        width=size,
        voltage_kv=VOLTAGE_KV,
        pixel_size_angstrom=PIXEL_ANGSTROM,
        dose_per_frame=DOSE,
        drift_angstrom=3.0,
        particles=particles,
    )


def shift_of(name: str) -> int:
    """Which of its hole's beam shifts a simulated movie has, by its name."""
    match = re.search(r"_Data_(\d+)_", name)
    assert match is not None
    return int(match[1])


def read_lists(processing: Path) -> dict[str, dict[str, Any]]:
    """The session's STAR files."""
    return {name: starfile.read(processing / name, always_dict=True) for name in LISTS}


def groups_are_beam_shifts(processing: Path, layout: EpuLayout, accepted: int, fitted: int) -> None:
    """All lists have the same groups, one a beam shift, with the microscope's values.

    `accepted` movies passed the filter, and `fitted` of these have a CTF.
    """
    count = layout.side**2
    numbers: dict[int, int] = {}
    for name, read in read_lists(processing).items():
        optics, rows = read["optics"], next(block for key, block in read.items() if key != "optics")
        assert optics["rlnOpticsGroup"].tolist() == list(range(1, count + 1)), name
        assert optics["rlnOpticsGroupName"].tolist() == [f"opticsGroup{number}" for number in range(1, count + 1)]
        assert set(optics["rlnVoltage"]) == {VOLTAGE_KV}
        assert set(optics["rlnMicrographOriginalPixelSize"]) == {PIXEL_ANGSTROM}
        assert len(rows) == (fitted if name == CTF else accepted)
        for movie, group in zip(rows[LISTS[name]], rows["rlnOpticsGroup"], strict=True):
            assert numbers.setdefault(shift_of(movie), group) == group, f"{movie} in {name}"
    assert sorted(numbers.values()) == list(range(1, count + 1))


def run_session(
    up: Callable[..., Any], tmp_path: Path, wait_until: Wait, layout: EpuLayout, made: SimulationOptions, *settings: str
) -> None:
    """Simulate a session, process it and check its lists."""
    data, processing = tmp_path / "data", tmp_path / "processing"
    simulate_epu(data, layout, options=made, seed=5)
    session = up(data, processing, "--workers", "1", "--incubation", "0.2", *settings)
    wait_until(lambda: session.settled(layout.movies), 60 + 10 * layout.movies, "all movies done")
    assert "failed" not in session.statuses().values()
    session.stop()  # the tracker writes what is still to be written
    items = json.loads((processing / PROCESSED_ITEMS).read_text())
    for item in items:
        assert (item["Voltage"], item["RawPixelSize"], item["DosePerFrame"]) == (VOLTAGE_KV, PIXEL_ANGSTROM, DOSE)
    accepted = [item for item in items if item["ProcessingStatus"] == PROCESSED]
    assert len(items) == layout.movies
    assert len(accepted) > layout.movies / 2, "without their gain, a quarter shows no rings at 5 Å"
    fitted = sum(item["Defocus"] is not None for item in accepted)
    groups_are_beam_shifts(processing, layout, len(accepted), fitted)


def test_a_small_epu_session_has_an_optics_group_for_each_beam_shift(
    up: Callable[..., Any], tmp_path: Path, wait_until: Wait
) -> None:
    # So small movies show no rings at 5 Å, and no session would let them pass.
    limits = ("--set", "filter.resolution_max=null", "--set", "ctf.window=128")
    run_session(up, tmp_path, wait_until, EpuLayout(2, 2, 2), options(128, 3, particles=0), *limits)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_an_epu_session_ends_in_25_optics_groups_without_a_single_setting(
    up: Callable[..., Any], tmp_path: Path, wait_until: Wait
) -> None:
    run_session(up, tmp_path, wait_until, EpuLayout(2, 4, 5), options(512, 12))
