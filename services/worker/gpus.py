"""The GPUs of this host, and which of them `CUDA_VISIBLE_DEVICES` names. Decisions without NVML and without JAX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_DRIVER = Path("/proc/driver/nvidia/gpus")
_DEVICES = Path("/dev")
_UUID_LINE = "GPU UUID:"


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU, or a MIG slice of one: `name` as `CUDA_VISIBLE_DEVICES` takes it, and `uuid`, "" where unknown."""

    name: str
    uuid: str = ""


def visible_gpus(visible: str | None, uuids: Sequence[str]) -> list[Gpu]:
    """The GPUs that `CUDA_VISIBLE_DEVICES` names (None: not set, so all), in its order.

    `uuids` are those of the host's GPUs in the order of their indices, "" where one is unknown. As in CUDA, a name that
    fits no GPU ends the list, and a UUID may be shortened. Where no GPU is known, names are taken as they stand.
    """
    if visible is None:
        return [Gpu(str(index), uuid) for index, uuid in enumerate(uuids)]
    found: list[Gpu] = []
    for name in (part.strip() for part in visible.split(",")):
        gpu = _named(name, uuids)
        if gpu is None:
            break
        found.append(gpu)
    return found


def _named(name: str, uuids: Sequence[str]) -> Gpu | None:
    if name.isdigit():
        if uuids and int(name) >= len(uuids):
            return None
        return Gpu(name, uuids[int(name)] if uuids else "")
    if name.startswith("MIG-"):
        return Gpu(name, name)
    if not name.startswith("GPU-"):
        return None
    fitting = [uuid for uuid in uuids if uuid.startswith(name)]
    if len(fitting) == 1:
        return Gpu(name, fitting[0])
    return Gpu(name, name) if not any(uuids) else None


def driver_uuids(driver: Path = _DRIVER, devices: Path = _DEVICES) -> list[str]:
    """The UUIDs that NVIDIA's driver shows in /proc, "" for a GPU that shows none; in the order of the PCI bus.

    Where a container does not show them, the device files are counted.
    """
    try:
        cards = sorted(driver.iterdir())
    except OSError:
        return [""] * len(list(devices.glob("nvidia[0-9]*")))
    return [_uuid_in(card / "information") for card in cards]


def _uuid_in(information: Path) -> str:
    try:
        lines = information.read_text().splitlines()
    except OSError:
        return ""
    values = [line.removeprefix(_UUID_LINE).strip() for line in lines if line.startswith(_UUID_LINE)]
    return values[0] if values and values[0].startswith("GPU-") and "?" not in values[0] else ""
