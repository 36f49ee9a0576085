"""What commands have changed of keys and tokens waits beside these for a session."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from warpcore.services.access import changes
from warpcore.services.access.changes import AccessAction, drop, note, noted
from warpcore.services.access.places import Access
from warpcore.services.access.private import AccessError, make_private


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(make_private(tmp_path / "access"))


def test_changes_wait_in_order_for_their_user_alone_until_they_are_dropped(access: Access) -> None:
    assert noted(access) == []
    for name in ("a", "b", "c"):
        note(access, AccessAction.KEY_ADDED, f"key {name} made", "ada@lab")
    first, second, third = noted(access)
    assert [one.detail for one in (first, second, third)] == ["key a made", "key b made", "key c made"]
    assert first.by == "ada@lab"
    assert first.user == access.folder.owner()
    assert time.time() - 60 < first.at < second.at < third.at <= time.time()
    assert stat.S_IMODE(access.changes.stat().st_mode) == 0o600
    drop(access, [first, third])
    assert noted(access) == [second]


def test_a_file_that_no_session_reads_stays_small(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_KEPT", 2)
    for name in ("a", "b", "c"):
        note(access, AccessAction.TOKEN_ADDED, name, "")
    assert [one.detail for one in noted(access)] == ["b", "c"]


def test_a_damaged_file_is_one_line_that_says_what_to_do(access: Access) -> None:
    access.changes.touch(0o600)
    access.changes.write_text('[{"at": "soon"}]')
    with pytest.raises(AccessError, match=r"changes\.json is damaged .*delete it"):
        note(access, AccessAction.KEY_REVOKED, "key a revoked", "")
