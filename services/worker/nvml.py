"""NVIDIA's management library, by its Python binding; where either is missing, nothing is known and nothing fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

from warpcore.services.worker.gpus import Gpu, driver_uuids

log = logging.getLogger(__name__)


class Reading(NamedTuple):
    """What one GPU gives, in NVML's units; None for what it does not give."""

    memory_bytes: int | None = None
    temperature_c: int | None = None
    utilisation_percent: int | None = None
    power_mw: int | None = None
    ecc_corrected: int | None = None
    ecc_uncorrected: int | None = None
    clock_reasons: int | None = None
    """Bits of `nvmlClocksEventReasons`."""


class Nvml:
    """The opened library."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    def uuids(self) -> list[str]:
        """The UUIDs of all GPUs in the order of the PCI bus; "" for one that does not tell it."""
        count = self._value(self._binding.nvmlDeviceGetCount) or 0
        return [self._value(partial(self._uuid, index)) or "" for index in range(count)]

    def _uuid(self, index: int) -> str:
        return str(self._binding.nvmlDeviceGetUUID(self._binding.nvmlDeviceGetHandleByIndex(index)))

    def card(self, gpu: Gpu) -> Card | None:
        """The GPU, None where NVML does not know it."""
        binding = self._binding
        if gpu.name.isdigit() and not gpu.uuid:
            handle = self._value(lambda: binding.nvmlDeviceGetHandleByIndex(int(gpu.name)))
        else:
            handle = self._value(lambda: binding.nvmlDeviceGetHandleByUUID(gpu.uuid or gpu.name))
        return Card(self, handle) if handle is not None else None

    def read(self, handle: Any) -> Reading:
        """What a GPU gives now. A MIG slice gives its own memory; all else is that of the GPU that it is part of."""
        b, value = self._binding, self._value
        whole = value(lambda: b.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle)) or handle
        volatile = b.NVML_VOLATILE_ECC
        errors = b.nvmlDeviceGetTotalEccErrors
        reasons = value(lambda: b.nvmlDeviceGetCurrentClocksEventReasons(whole))
        if reasons is None:  # the name in drivers before 535
            reasons = value(lambda: b.nvmlDeviceGetCurrentClocksThrottleReasons(whole))
        return Reading(
            memory_bytes=value(lambda: b.nvmlDeviceGetMemoryInfo(handle).used),
            temperature_c=value(lambda: b.nvmlDeviceGetTemperature(whole, b.NVML_TEMPERATURE_GPU)),
            utilisation_percent=value(lambda: b.nvmlDeviceGetUtilizationRates(whole).gpu),
            power_mw=value(lambda: b.nvmlDeviceGetPowerUsage(whole)),
            ecc_corrected=value(lambda: errors(whole, b.NVML_MEMORY_ERROR_TYPE_CORRECTED, volatile)),
            ecc_uncorrected=value(lambda: errors(whole, b.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, volatile)),
            clock_reasons=reasons,
        )

    def memory_bytes(self, handle: Any) -> int | None:
        """All the memory that a GPU, or a MIG slice, has."""
        total = self._value(lambda: self._binding.nvmlDeviceGetMemoryInfo(handle).total)
        return int(total) if total else None

    def _value(self, ask: Callable[[], Any]) -> Any:
        """What NVML answers, None where the GPU, the driver or the binding does not have it."""
        try:
            return ask()
        except (self._binding.NVMLError, AttributeError):
            return None


class Card:
    """One GPU that NVML knows."""

    def __init__(self, nvml: Nvml, handle: Any) -> None:
        self._nvml, self._handle = nvml, handle

    def read(self) -> Reading:
        """What it gives now."""
        return self._nvml.read(self._handle)

    def memory_bytes(self) -> int | None:
        """All the memory that it has."""
        return self._nvml.memory_bytes(self._handle)


@cache
def open_nvml() -> Nvml | None:
    """The library, opened once and for as long as this process lives; None where there is none."""
    try:
        import pynvml
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        log.debug("NVML cannot be opened: %s", error)
        return None
    return Nvml(pynvml)


def host_uuids(nvml: Nvml | None) -> list[str]:
    """The UUIDs of this host's GPUs: as NVML tells them, else as the driver shows them in /proc."""
    return (nvml.uuids() if nvml is not None else []) or driver_uuids()
