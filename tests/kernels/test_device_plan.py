"""How a movie is fitted into a device's memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpcore.kernels.image import Plan, plan_movie

GB = 1 << 30
K3 = 4092 * 5760


def test_a_k3_movie_stays_on_a_card_of_16_gb() -> None:
    assert plan_movie(K3, 40 * K3, 6, 16 * GB) == Plan(True, 8)


def test_80_frames_of_super_resolution_are_sent_in_chunks_on_16_gb() -> None:
    pixels = 11520 * 8184
    assert plan_movie(pixels, 80 * pixels, 6, 16 * GB) == Plan(False, 2)
    assert plan_movie(pixels, 80 * pixels // 2, 6, 80 * GB) == Plan(True, 8)


def test_the_smallest_plan_is_given_where_nothing_fits() -> None:
    assert plan_movie(K3, 40 * K3, 12, GB) == Plan(False, 1)


@given(
    pixels=st.integers(10**5, 10**8), frames=st.integers(1, 200), sums=st.integers(1, 12), memory=st.integers(1, 150)
)
def test_more_memory_never_gives_a_smaller_plan(pixels: int, frames: int, sums: int, memory: int) -> None:
    less, more = (plan_movie(pixels, pixels * frames, sums, size * GB) for size in (memory, memory + 10))
    assert (more.resident, more.frames) >= (less.resident, less.frames) or more.resident


@pytest.mark.parametrize("sums", [1, 6, 12])
def test_a_resident_movie_leaves_room_for_the_next(sums: int) -> None:
    for memory in range(1, 40):
        plan = plan_movie(K3, 40 * K3, sums, memory * GB)
        if plan.resident:
            assert memory * GB > 2 * 40 * K3 + K3 * (4 * sums + 28 * plan.frames)


def test_a_fit_that_takes_more_than_the_sums_leaves_less_for_frames() -> None:
    assert plan_movie(K3, 40 * K3, 6, 24 * GB) == Plan(True, 8)
    assert not plan_movie(K3, 40 * K3, 6, 24 * GB, fit_bytes=20 * GB).resident
