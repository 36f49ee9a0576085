"""Which GPU a worker means, what of its values travels, and which of them become warnings."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from warpcore.bus.messages import Load
from warpcore.bus.vocabulary import Throttling
from warpcore.services.worker.gpu_watch import COOL_AGAIN_S, GpuWatch
from warpcore.services.worker.gpus import Gpu, driver_uuids, visible_gpus
from warpcore.services.worker.load import gpu_load, throttling
from warpcore.services.worker.nvml import Reading

A, B = "GPU-aa11", "GPU-ab22"


@pytest.mark.parametrize(
    ("visible", "uuids", "gpus"),
    [
        (None, [A, B], [Gpu("0", A), Gpu("1", B)]),
        ("1", [A, B], [Gpu("1", B)]),
        ("1,0", [A, B], [Gpu("1", B), Gpu("0", A)]),
        ("", [A, B], []),
        ("1,-1,0", [A, B], [Gpu("1", B)]),  # as in CUDA, what names no GPU ends the list
        ("0,2", [A, B], [Gpu("0", A)]),
        ("GPU-ab", [A, B], [Gpu("GPU-ab", B)]),
        ("GPU-a", [A, B], []),  # short for both
        ("MIG-c3", [A, B], [Gpu("MIG-c3", "MIG-c3")]),
        ("2, 3", [], [Gpu("2"), Gpu("3")]),  # nothing is known of this host
        ("GPU-ab", [], [Gpu("GPU-ab", "GPU-ab")]),
        (None, [], []),
    ],
)
def test_the_gpus_that_a_process_sees(visible: str | None, uuids: list[str], gpus: list[Gpu]) -> None:
    assert visible_gpus(visible, uuids) == gpus


def test_the_driver_names_its_gpus_in_proc_in_the_order_of_the_bus(tmp_path: Path) -> None:
    for bus, line in (
        ("0000:41:00.0", f"GPU UUID: \t {B}"),
        ("0000:01:00.0", f"GPU UUID: \t {A}"),
        ("0000:81:00.0", ""),
    ):
        (tmp_path / bus).mkdir()
        (tmp_path / bus / "information").write_text(f"Model: \t\t NVIDIA\nIRQ:   \t\t 42\n{line}\n")
    assert driver_uuids(tmp_path) == [A, B, ""]
    assert driver_uuids(tmp_path / "absent", tmp_path) == []
    for name in ("nvidia0", "nvidia1", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert driver_uuids(tmp_path / "absent", tmp_path) == ["", ""]


def test_readings_travel_in_the_units_of_a_load_and_unknown_ones_not_at_all() -> None:
    full = Reading(3 * 2**30, 61, 93, 310_400, 7, 0, 0x24)
    assert gpu_load(full) == Load(None, 3072, 61, 93, 310, 7, 0, [Throttling.POWER_CAP, Throttling.HEAT])
    assert gpu_load(Reading()) == Load()
    assert gpu_load(Reading()).to_body() == {}
    assert gpu_load(Reading(clock_reasons=0x1)).to_body() == {"gpu_throttling": []}


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        (0x0, []),
        (0x1, []),  # idle
        (0x2, []),  # clocks set by a user
        (0x4, ["power_cap"]),
        (0x60, ["heat"]),  # by driver and hardware
        (0x48, ["heat"]),  # the hardware's slowdown, and why
        (0x88, ["power_brake"]),
        (0x8, ["hardware"]),
        (0x100, []),  # clocks of the display
    ],
)
def test_bits_of_nvml_in_words(reasons: int, words: list[str]) -> None:
    assert throttling(reasons) == words


def test_memory_errors_that_rise_are_warned_of_and_old_ones_are_not() -> None:
    watch = GpuWatch("host/cuda:0")
    before = Load(gpu_memory_mb=1, gpu_ecc_corrected=5, gpu_ecc_uncorrected=2)
    assert watch.see(Load(), 0.0) == {}
    assert watch.see(before, 2.0) == {}
    assert watch.see(before, 4.0) == {}
    assert list(watch.see(before.updated(Load(gpu_ecc_corrected=6)), 6.0)) == ["corrected"]
    told = watch.see(before.updated(Load(gpu_ecc_uncorrected=4)), 8.0)
    assert list(told) == ["uncorrected"]
    assert "host/cuda:0: 2 memory errors not corrected" in told["uncorrected"]
    assert watch.see(Load(gpu_memory_mb=1), 10.0) == {}, "a card that no longer tells is no card with errors"


def test_a_hot_gpu_is_warned_of_until_it_has_been_cool_for_a_while() -> None:
    watch = GpuWatch("w")
    hot, cool = Load(gpu_throttling=[Throttling.HEAT]), Load(gpu_throttling=[])
    assert list(watch.see(hot, 0.0)) == ["heat"]
    assert list(watch.see(cool, COOL_AGAIN_S)) == ["heat"]
    assert list(watch.see(cool, COOL_AGAIN_S + 0.1)) == []
    assert list(watch.see(Load(gpu_throttling=[Throttling.POWER_CAP]), COOL_AGAIN_S + 2)) == []


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="this host has a GPU")
def test_without_a_gpu_a_meter_knows_nothing_and_does_not_fail() -> None:
    """In a process of its own, as NVML may be opened once."""
    program = (
        "from warpcore.services.worker.load import LoadMeter, card_of; from warpcore.bus.messages import Load;"
        "assert LoadMeter(card_of({})).measure([]) == Load()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
