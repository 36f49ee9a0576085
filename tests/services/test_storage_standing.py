"""How a folder's storage is judged, and what errors and vanished mounts say of it."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest

from warpcore.bus.vocabulary import FailureKind, StorageCondition, StoragePlace
from warpcore.services.storage.directories import Sighting, why_another
from warpcore.services.storage.faults import may_pass, storage_kind
from warpcore.services.storage.standing import Look, Needs, Standing, judged

GB = 10**9
NEEDS = Needs(hold_bytes=2 * GB, reserve_bytes=10 * GB)
OK, LOW, FULL, AWAY = StorageCondition


def judge(look: Look, before: StorageCondition = OK, place: StoragePlace = StoragePlace.PROCESSING) -> Standing:
    return judged(place, "/p", look, NEEDS, before)


def space(free_gb: float, total_gb: float = 1000, inodes: int | None = None) -> Look:
    return Look(int(free_gb * GB), int(total_gb * GB), inodes)


@pytest.mark.parametrize(
    ("look", "condition", "text"),
    [
        (space(100), OK, ""),
        (space(8), LOW, "disk nearly full on /p: 8 GB left"),
        (space(0.3), FULL, "disk full on /p: 0.3 GB left, needs 2 GB"),
        (space(100, inodes=0), FULL, "disk full on /p: 0 inodes left"),
        (Look(100 * GB, 1000 * GB, full="Disk quota exceeded"), FULL, "disk full on /p: Disk quota exceeded"),
        (Look(away="Stale file handle"), AWAY, "processing directory /p is away: Stale file handle"),
        (Look(silent_s=12.3), AWAY, "processing directory /p is away: no answer for 12 s"),
    ],
)
def test_a_look_tells_a_condition_in_one_line(look: Look, condition: StorageCondition, text: str) -> None:
    standing = judge(look)
    assert standing.condition is condition
    assert standing.text.startswith(text)
    assert bool(standing.text) == bool(text)


def test_on_a_small_disk_a_share_of_it_is_enough() -> None:
    assert judge(space(0.012, total_gb=0.03)).condition is OK
    assert judge(space(0.001, total_gb=0.03)).text.startswith("disk full on /p: 1 MB left, needs 2 MB")


def test_a_condition_ends_only_when_there_is_clearly_more_room() -> None:
    assert judge(space(2.1), before=FULL).condition is FULL
    assert judge(space(2.6), before=FULL).condition is LOW
    assert judge(space(11), before=LOW).condition is LOW
    assert judge(space(13), before=LOW).condition is OK


def test_movies_are_read_from_a_full_disk_all_the_same() -> None:
    assert judge(space(0), place=StoragePlace.DATA).condition is OK


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, FailureKind.DISK_FULL),
        (errno.EDQUOT, FailureKind.DISK_FULL),
        (errno.ESTALE, FailureKind.STORAGE_AWAY),
        (errno.EIO, FailureKind.STORAGE_AWAY),
        (errno.ENOTCONN, FailureKind.STORAGE_AWAY),
        (errno.ETIMEDOUT, FailureKind.STORAGE_AWAY),
        (errno.EROFS, FailureKind.STORAGE_AWAY),
        (errno.ENOENT, None),
        (errno.EACCES, None),
    ],
)
def test_an_error_number_has_one_kind(number: int, kind: FailureKind | None) -> None:
    assert storage_kind(OSError(number, "")) is kind
    assert may_pass(OSError(number, "")) is (kind is not None)


def test_what_a_busy_host_says_may_pass_and_is_no_fault_of_storage() -> None:
    busy = OSError(errno.EMFILE, "")
    assert storage_kind(busy) is None
    assert may_pass(busy)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (Sighting((1, 7), is_empty=False, known_is_there=True), ""),
        (Sighting((1, 7), is_empty=False, known_is_there=False), ""),  # somebody deleted the file
        (Sighting((1, 7), is_empty=True, known_is_there=False), ""),  # or all files
        (Sighting((2, 1), is_empty=True, known_is_there=False), "it is empty, as if its file system were not mounted"),
        (Sighting((2, 1), is_empty=False, known_is_there=False), "another folder lies there"),
        (Sighting((2, 1), is_empty=False, known_is_there=True), ""),  # it came back with another device number
        (Sighting((2, 1), is_empty=True, known_is_there=None), ""),  # nothing is known that could be missed
    ],
)
def test_an_unmounted_folder_is_told_from_one_whose_files_were_deleted(now: Sighting, why: str) -> None:
    assert why_another((1, 7), now).startswith(why)
    assert bool(why_another((1, 7), now)) == bool(why)


def test_another_folder_is_taken_where_nothing_waits_to_be_read_but_never_an_empty_one() -> None:
    other = Sighting((2, 1), is_empty=False, known_is_there=False, is_needed=False)
    assert not why_another((1, 7), other)
    assert why_another((1, 7), replace(other, is_empty=True))


def test_a_session_that_begins_with_an_empty_mount_point_and_knows_movies_waits() -> None:
    assert why_another(None, Sighting((2, 1), is_empty=True, known_is_there=False))
    assert not why_another(None, Sighting((2, 1), is_empty=True, known_is_there=False, is_needed=False))
    assert not why_another(None, Sighting((2, 1), is_empty=True, known_is_there=None))
