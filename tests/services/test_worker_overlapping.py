"""Three stages overlap over consecutive items, in order, with no more items on their way than there is room for."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from warpcore.services.worker.overlapping import overlapped

DEADLINE_S = 30.0


def test_while_one_is_computed_another_is_loaded() -> None:
    second_is_loaded = threading.Event()

    def load(item: int) -> int:
        if item == 2:
            second_is_loaded.set()
        return item

    def compute(item: int) -> bool:
        return second_is_loaded.wait(DEADLINE_S)  # never comes true where the stages run one after another

    assert list(overlapped([1, 2], load, compute, lambda was_loaded: was_loaded, 2)) == [True, True]


def test_while_one_is_written_the_next_is_computed() -> None:
    second_is_computed = threading.Event()

    def compute(item: int) -> int:
        if item == 2:
            second_is_computed.set()
        return item

    written = overlapped([1, 2], int, compute, lambda item: second_is_computed.wait(DEADLINE_S), 2)
    assert list(written) == [True, True]


def test_results_come_in_order_and_no_more_items_are_on_their_way_than_there_is_room_for() -> None:
    guard, on_their_way, most = threading.Lock(), 0, 0

    def load(item: int) -> int:
        nonlocal on_their_way, most
        with guard:
            on_their_way += 1
            most = max(most, on_their_way)
        return item

    def write(item: int) -> int:
        nonlocal on_their_way
        with guard:
            on_their_way -= 1
        return item

    assert list(overlapped(range(50), load, int, write, 2)) == list(range(50))
    assert most == 2


@pytest.mark.parametrize("stage", ["load", "compute", "write"])
def test_a_stage_that_raises_ends_all_and_nothing_more_is_loaded(stage: str) -> None:
    loaded: list[int] = []

    def failing_in(name: str) -> Callable[[int], int]:
        def run(item: int) -> int:
            if name == "load":
                loaded.append(item)
            if name == stage and item == 1:
                raise RuntimeError(f"{name} of {item}")
            return item

        return run

    with pytest.raises(RuntimeError, match=f"{stage} of 1"):
        list(overlapped(range(1000), failing_in("load"), failing_in("compute"), failing_in("write"), 2))
    assert len(loaded) < 1000


def test_whoever_waits_for_room_at_the_end_is_let_go() -> None:
    """Which thread comes first at the end is chance: in one of ten tries it went on to the next item, and waited."""

    def failing(item: int) -> int:
        if item == 1:
            raise RuntimeError
        return item

    def run() -> None:
        with pytest.raises(RuntimeError):
            list(overlapped(range(1000), int, failing, int, 2))

    for _ in range(100):
        one = threading.Thread(target=run, daemon=True)
        one.start()
        one.join(DEADLINE_S)
        assert not one.is_alive()
