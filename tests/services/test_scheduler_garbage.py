"""What lives as long as the session is searched for garbage once."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from warpcore.services.scheduler.shell.session import garbage_looked_for_once


@pytest.fixture(autouse=True)
def looked_for_again_afterwards() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_survives_a_full_search_is_not_searched_again() -> None:
    gc.unfreeze()
    with garbage_looked_for_once():
        kept = [[number] for number in range(1000)]
        gc.collect()
        assert gc.get_freeze_count() > len(kept)
        assert not any(kept is one for one in gc.get_objects())
        newer = [[number] for number in range(1000)]
        assert any(newer is one for one in gc.get_objects())
    gc.unfreeze()
    gc.collect()
    assert gc.get_freeze_count() == 0, "only within"
