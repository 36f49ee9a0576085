"""What a heartbeat tells of the machine: memory of the computation, and what NVML tells of the GPU, if any."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping

import psutil

from warpcore.bus.messages import Load
from warpcore.bus.vocabulary import Throttling
from warpcore.services.worker.gpus import visible_gpus
from warpcore.services.worker.nvml import Card, Reading, host_uuids, open_nvml

_REASONS = {
    0x04: Throttling.POWER_CAP,
    0x20: Throttling.HEAT,  # by the driver
    0x40: Throttling.HEAT,  # by the hardware
    0x80: Throttling.POWER_BRAKE,
}
"""Bits of NVML's `nvmlClocksEventReasons` that slow a GPU down; others say that it is idle or that a user set it so."""
_HARDWARE_SLOWDOWN = 0x08
"""Set beside the bits for heat and power brake, or alone."""


class LoadMeter:
    """Measures one worker."""

    def __init__(self, card: Card | None) -> None:
        self._card = card

    def measure(self, compute_pids: Iterable[int]) -> Load:
        """The memory of the compute processes, and what the GPU gives."""
        load = gpu_load(self._card.read()) if self._card is not None else Load()
        sizes = [size for pid in compute_pids if (size := _resident_bytes(pid)) is not None]
        return load.updated(Load(host_memory_mb=sum(sizes) // 2**20)) if sizes else load


def card_of(environment: Mapping[str, str]) -> Card | None:
    """The GPU of a compute process with this environment, whose `CUDA_VISIBLE_DEVICES` names it; None without NVML."""
    visible = environment.get("CUDA_VISIBLE_DEVICES")
    nvml = open_nvml() if visible != "" else None
    gpus = visible_gpus(visible, host_uuids(nvml)) if nvml is not None else []
    return nvml.card(gpus[0]) if nvml is not None and gpus else None


def _resident_bytes(pid: int) -> int | None:
    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return None


def gpu_load(reading: Reading) -> Load:
    """A GPU's reading as it travels."""
    memory, power, reasons = reading.memory_bytes, reading.power_mw, reading.clock_reasons
    return Load(
        gpu_memory_mb=int(memory) // 2**20 if memory is not None else None,
        gpu_temperature_c=reading.temperature_c,
        gpu_utilisation_percent=reading.utilisation_percent,
        gpu_power_w=round(power / 1000) if power is not None else None,
        gpu_ecc_corrected=reading.ecc_corrected,
        gpu_ecc_uncorrected=reading.ecc_uncorrected,
        gpu_throttling=throttling(reasons) if reasons is not None else None,
    )


def throttling(reasons: int) -> list[Throttling]:
    """What slows a GPU down, from the bits of NVML's `nvmlClocksEventReasons`; each reason once."""
    found = list(dict.fromkeys(word for bit, word in _REASONS.items() if reasons & bit))
    if reasons & _HARDWARE_SLOWDOWN and not {Throttling.HEAT, Throttling.POWER_BRAKE} & set(found):
        found.append(Throttling.HARDWARE)
    return found
