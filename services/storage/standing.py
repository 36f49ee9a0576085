"""How a folder's storage is, judged from looks at it. Pure: no files, no clock."""

from __future__ import annotations

from dataclasses import dataclass

from warpcore.bus.vocabulary import StorageCondition, StoragePlace

FEWEST_INODES = 64
HOLD_SHARE = 1 / 20
"""A small file system counts as full when this share of it is left, whatever the settings need."""
RESERVE_SHARE = 1 / 10
WELL_AGAIN = 1.25
"""So many times a limit must be free again before its condition ends, so that it does not come and go."""
NAMES = {
    StoragePlace.DATA: "data directory",
    StoragePlace.PROCESSING: "processing directory",
    StoragePlace.STATE: "folder of the state",
}


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a folder has found.

    `free_bytes` and `free_inodes` are None where the file system does not tell. `full` and `away` say in words why the
    folder counts as full or away whatever is free, "" for no such reason. `silent_s`: so long there has been no answer.
    """

    free_bytes: int | None = None
    total_bytes: int | None = None
    free_inodes: int | None = None
    full: str = ""
    away: str = ""
    silent_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Needs:
    """Free bytes below which a folder counts as full, and below which its user is warned."""

    hold_bytes: float = 0.0
    reserve_bytes: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A folder's condition; `text` is one line for people, "" where it is well."""

    condition: StorageCondition = StorageCondition.OK
    text: str = ""

    @property
    def holds(self) -> bool:
        """Whether nothing can be processed as long as it is so."""
        return self.condition in (StorageCondition.FULL, StorageCondition.AWAY)


def judged(place: StoragePlace, path: str, look: Look, needs: Needs, before: StorageCondition) -> Standing:
    """The standing of a folder after a look at it; `before` is its condition until then."""
    if look.silent_s or look.away:
        why = f"no answer for {look.silent_s:.0f} s" if look.silent_s else look.away
        text = f"{NAMES[place]} {path} is away: {why}; the session waits and goes on by itself once it is back"
        return Standing(StorageCondition.AWAY, text)
    if place is StoragePlace.DATA:
        return Standing()
    if why := _why_full(look, needs, before):
        return Standing(StorageCondition.FULL, f"disk full on {path}: {why}")
    reserve = _limit(needs.reserve_bytes, RESERVE_SHARE, look, before is not StorageCondition.OK)
    if look.free_bytes is not None and look.free_bytes < reserve:
        text = f"disk nearly full on {path}: {in_words(look.free_bytes)} left; make room before processing must stop"
        return Standing(StorageCondition.LOW, text)
    return Standing()


def in_words(size: float) -> str:
    """`2 GB`, `0.3 GB`, `12 MB`: bytes for people."""
    return f"{size / 1e9:.1f}".removesuffix(".0") + " GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


def _why_full(look: Look, needs: Needs, before: StorageCondition) -> str:
    if look.free_inodes is not None and look.free_inodes < FEWEST_INODES:
        return f"{look.free_inodes} inodes left, needs {FEWEST_INODES}; delete small files there"
    limit = _limit(needs.hold_bytes, HOLD_SHARE, look, before is StorageCondition.FULL)
    if look.free_bytes is not None and look.free_bytes < limit:
        return f"{in_words(look.free_bytes)} left, needs {in_words(limit)}; free space, processing goes on by itself"
    return f"{look.full}; free space there, processing goes on by itself" if look.full else ""


def _limit(wanted: float, share: float, look: Look, is_on: bool) -> float:
    limit = min(wanted, share * look.total_bytes) if look.total_bytes is not None else wanted
    return WELL_AGAIN * limit if is_on else limit
