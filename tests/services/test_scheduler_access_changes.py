"""What commands change of keys and tokens comes into the audit log, once, whether a session runs then or not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from tests.services.scheduler_site import Site, ask
from warpcore.bus import messages as wire
from warpcore.bus.keys import Holder
from warpcore.bus.limits import LONGEST_BY
from warpcore.bus.vocabulary import Role
from warpcore.services.access.changes import MOST_KEPT, AccessAction, AccessChange, drop, note, noted
from warpcore.services.access.keys import init, own, read_key
from warpcore.services.access.places import Access
from warpcore.services.access.private import AccessError
from warpcore.services.scheduler.shell import access_changes

WaitUntil = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(access_changes, "LOOK_EVERY_S", 0.05)
    return Site(tmp_path, free_ports(4))


@pytest.fixture
def access(tmp_path: Path) -> Access:
    made = Access(tmp_path / "access")
    init(made)
    return made


class Audited:
    """A running scheduler with these keys, and what its audit log tells of keys and tokens."""

    def __init__(self, site: Site, access: Access, running: ExitStack) -> None:
        key = read_key(own(access, Holder("op", Role.OPERATOR)))
        self._operator = running.enter_context(site.running(access=access.folder, key=key))

    def entries(self) -> list[wire.AuditEntry]:
        found: list[wire.AuditEntry] = ask(self._operator, wire.GetAudit()).entries
        return found

    def details(self) -> list[str]:
        """Newest first."""
        return [one.detail for one in self.entries()]


def test_changes_before_and_while_a_session_runs_are_told_once(
    site: Site, access: Access, wait_until: WaitUntil
) -> None:
    note(access, AccessAction.KEY_ADDED, "key gpu1 made, role worker", "ada@lab")
    with ExitStack() as running:
        audited = Audited(site, access, running)
        wait_until(lambda: audited.entries(), what="the entry of a change before the start")
        note(access, AccessAction.TOKEN_ADDED, "token bob made, role view, for 7d", "ada@lab")
        wait_until(lambda: len(audited.entries()) == 2, what="the entry of a change while the session runs")
        token, key = audited.entries()
        assert (key.user, key.by, key.via, key.action) == (access.folder.owner(), "ada@lab", "cli", "key.add")
        assert (token.action, token.detail) == ("token.add", "token bob made, role view, for 7d")
        assert key.at < token.at
        wait_until(lambda: not noted(access), what="a file without what the session has taken up")
        assert audited.details() == [token.detail, key.detail]


def test_a_change_that_was_stored_and_not_dropped_is_not_told_again(
    site: Site, access: Access, wait_until: WaitUntil
) -> None:
    """As after a crash between the two."""
    note(access, AccessAction.KEY_REVOKED, "key gpu1 revoked, role worker", "ada@lab")
    waiting = access.changes.read_bytes()
    with ExitStack() as running:
        audited = Audited(site, access, running)
        wait_until(lambda: audited.entries() and not noted(access), what="an entry that was taken up")
    access.changes.write_bytes(waiting)
    with ExitStack() as running:
        audited = Audited(site, access, running)
        wait_until(lambda: not noted(access), what="a file without what is stored")
        assert audited.details() == ["key gpu1 revoked, role worker"]


def test_a_damaged_file_stops_nothing_and_is_told_once(
    site: Site, access: Access, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    access.changes.touch(0o600)
    access.changes.write_text("damaged")
    with ExitStack() as running:
        audited = Audited(site, access, running)
        wait_until(lambda: "changes.json is damaged" in caplog.text, what="a line on the damaged file")
        access.changes.unlink()
        note(access, AccessAction.LINK_ADDED, "viewer link lab-b made, for 7d", "")
        wait_until(lambda: audited.details() == ["viewer link lab-b made, for 7d"], what="what came after")
    assert caplog.text.count("changes.json is damaged") == 1


def _forged(access: Access, *changes: AccessChange) -> None:
    access.changes.touch(0o600)
    access.changes.write_bytes(msgspec.json.encode(changes))


@pytest.mark.parametrize("at", [-1.0, 1e18, 1e300])
def test_a_time_without_a_date_is_refused_since_no_list_of_changes_could_show_it(access: Access, at: float) -> None:
    _forged(access, AccessChange(at, "", "", AccessAction.KEY_ADDED, ""))
    with pytest.raises(AccessError, match="damaged"):
        noted(access)


def test_more_changes_than_can_wait_are_dropped_before_the_scheduler_sees_them(access: Access) -> None:
    """Thousands kept it busy for seconds, and pushed all else out of the audit log."""
    forged = [AccessChange(at, "", "", AccessAction.KEY_ADDED, "") for at in range(3 * MOST_KEPT)]
    _forged(access, *forged)
    assert noted(access) == forged[-MOST_KEPT:]
    drop(access, forged[-MOST_KEPT + 1 :])
    assert noted(access) == [forged[-MOST_KEPT]]


def test_many_changes_are_taken_up_in_portions_and_names_in_them_are_one_short_line(
    site: Site, access: Access, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access_changes, "MOST_AT_ONCE", 2)
    _forged(access, *(AccessChange(at, "a\x1b[31m" * 500, "b\n", AccessAction.KEY_ADDED, str(at)) for at in range(5)))
    with ExitStack() as running:
        audited = Audited(site, access, running)
        wait_until(lambda: not noted(access), what="a file without what the session has taken up")
        assert audited.details() == ["4", "3", "2", "1", "0"]
        for entry in audited.entries():
            assert len(entry.user) <= LONGEST_BY
            assert f"{entry.user}{entry.by}".isprintable()
