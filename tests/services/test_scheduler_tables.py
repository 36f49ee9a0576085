"""Rows are written many at a time."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from warpcore.services.scheduler.core.rows import BanRow
from warpcore.services.scheduler.store.tables import AT_ONCE, BANS


@pytest.mark.parametrize("count", [0, 1, AT_ONCE[1] - 1, AT_ONCE[0], AT_ONCE[0] + AT_ONCE[1] + 1, 3 * AT_ONCE[0] - 1])
def test_any_number_of_rows_is_written_over_those_of_the_same_keys(count: int) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("CREATE TABLE bans (worker TEXT PRIMARY KEY, instance TEXT, reason TEXT)")
        for reason in ("first", "then"):
            rows = [BanRow(f"w{number:04d}", str(number), reason) for number in range(count)]
            BANS.save.run(db, rows)
            assert list(map(BanRow._make, db.execute(BANS.select))) == rows
