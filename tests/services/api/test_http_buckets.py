"""How often a client may ask: token buckets without a clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warpcore.services.api.http.buckets import Buckets, Rate

RATE = Rate(per_s=2, burst=5)


def test_a_burst_then_the_rate() -> None:
    buckets = Buckets(RATE)
    assert [buckets.take("a", 0) for _ in range(5)] == [0] * 5
    assert buckets.take("a", 0) == 0.5
    assert buckets.take("b", 0) == 0, "another client pays for it"
    assert buckets.take("a", 0.5) == 0
    assert buckets.take("a", 0.5) == 0.5


@given(st.lists(st.floats(0, 3), max_size=100))
def test_no_client_gets_more_than_its_burst_and_its_rate(pauses: list[float]) -> None:
    buckets, now, got = Buckets(RATE), 0.0, 0
    for pause in pauses:
        now += pause
        got += buckets.take("a", now) == 0
    assert got <= RATE.burst + RATE.per_s * now


@given(st.lists(st.floats(0, 3), max_size=50))
def test_who_waits_as_told_is_served(pauses: list[float]) -> None:
    buckets, now = Buckets(RATE), 0.0
    for pause in pauses:
        now += pause
        wait_s = buckets.take("a", now)
        if wait_s:
            now += wait_s + 1e-9
            assert buckets.take("a", now) == 0


def test_names_without_end_take_no_memory_without_end() -> None:
    buckets = Buckets(RATE, most=10)
    for number in range(1000):
        buckets.take(f"client {number}", 0)
        buckets.take("busy", 0)
    assert len(buckets) == 10
    assert buckets.take("busy", 0) > 0, "who asks most was forgotten"
