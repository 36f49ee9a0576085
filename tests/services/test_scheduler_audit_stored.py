"""Who changed what, as the scheduler stores and tells it: sockets, SQLite, restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.services.scheduler_site import Site, WaitUntil, ask, files, opened
from warpcore.bus import messages as wire
from warpcore.bus.client import RefusedError, RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.envelope import MAX_FRAME_BYTES, Envelope, encode
from warpcore.bus.messages import AuditEntry
from warpcore.bus.vocabulary import AuditOutcome, Selection
from warpcore.services.scheduler.core.audit import Who
from warpcore.services.scheduler.core.audit_words import LONGEST_DETAIL
from warpcore.services.scheduler.core.effects import SaveAudit
from warpcore.services.scheduler.core.rows import AuditRow
from warpcore.services.scheduler.shell.rebuilding import rebuild
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.scheduler.store import history
from warpcore.services.scheduler.store.database import Store
from warpcore.services.session.settings import Settings, patch_settings


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(Store(tmp_path / "state.db", data_directory="/d", processing_directory="/p")) as store:
        yield store


def entries(client: RequestClient, **wanted: Any) -> list[AuditEntry]:
    answer = ask(client, wire.GetAudit(**wanted))
    assert isinstance(answer, wire.Audit)
    return answer.entries


def row(id: int, outcome: AuditOutcome = AuditOutcome.DONE, **values: Any) -> AuditRow:
    plain: dict[str, Any] = {"at": float(id), "user": "ada", "by": "", "via": "cli", "action": "settings.patch"}
    return AuditRow(id=id, outcome=outcome.value, **{**plain, "detail": f"change {id}", **values})


def fill(store: Store, *rows: AuditRow) -> None:
    store.stage(SaveAudit(one) for one in rows)
    store.commit()


# --- the running scheduler ---------------------------------------------------------------------------------------


def test_what_is_changed_by_request_is_told_and_survives_a_restart(site: Site) -> None:
    with site.running(settings=Settings(), paused=False) as client:
        ask(client, files("a.tif"))
        ask(client, wire.PauseProcessing())
        ask(client, wire.PatchSettings({"ctf": {"cs": 2.0}}, by="ada"))
        ask(client, wire.SelectItem("a", Selection.EXCLUDE))
        before = entries(client)
    told = [(one.action, one.by, one.via, one.detail, one.outcome) for one in before]
    assert told == [
        ("item.select", "", "test", "a: exclude", "done"),
        ("settings.patch", "ada", "test", "settings 2: ctf.cs null → 2.0", "done"),
        ("processing.pause", "", "test", "processing is paused", "done"),
    ]
    with site.running() as client:
        assert entries(client) == before
        ask(client, wire.StartProcessing())
        assert [one.id for one in entries(client)] == [4, 3, 2, 1]


def test_what_a_later_start_changes_is_told_too(site: Site) -> None:
    with site.running(settings=Settings(), paused=True) as client:
        assert entries(client) == [], "what a new session begins with is no change"
    other = patch_settings(Settings(), {"import": {"data": str(site.data)}, "ctf": {"cs": 2.0}})
    for _ in range(2):
        with site.running(settings=other, paused=False) as client:
            told = [(one.via, one.detail) for one in entries(client)]
            assert told == [("start", "settings 2: ctf.cs null → 2.0"), ("start", "processing goes on")]


def test_a_request_that_is_sent_again_is_told_once(site: Site, wait_until: WaitUntil) -> None:
    with site.running() as client:
        dealer = Dealer(site.endpoints.control, b"twice", "twice")
        answers: list[Envelope] = []
        for _ in range(3):  # one that comes before the first is answered has no answer of its own
            dealer.send(wire.PauseProcessing(), id="the same")
        wait_until(lambda: answers.extend(dealer.receive()) or answers, what="an answer")
        dealer.send(wire.PauseProcessing(), id="the same")
        before = len(answers)
        wait_until(lambda: answers.extend(dealer.receive()) or len(answers) > before, what="the same answer")
        assert [one.via for one in entries(client)] == ["twice"]
        dealer.close()


def test_a_change_that_cannot_be_stored_is_not_told_and_the_other_way_round(site: Site) -> None:
    """Both are one commit."""
    with opened(site) as (session, client), closing(sqlite3.connect(session.store.path, isolation_level=None)) as other:
        ask(client, files("a.tif"))
        other.execute("ALTER TABLE changes RENAME TO gone")
        with pytest.raises(RefusedError):
            ask(client, wire.SelectItem("a", Selection.EXCLUDE))
        assert entries(client) == []
        other.execute("ALTER TABLE gone RENAME TO changes")
        other.execute("ALTER TABLE audit RENAME TO gone")
        with pytest.raises(RefusedError):
            ask(client, wire.SelectItem("a", Selection.EXCLUDE))
        other.execute("ALTER TABLE gone RENAME TO audit")
        assert ask(client, wire.GetItem("a")).movie.selection == "auto"
        ask(client, wire.SelectItem("a", Selection.EXCLUDE))
        assert [one.detail for one in entries(client)] == ["a: exclude"]


def test_what_services_and_readers_ask_is_not_told(site: Site) -> None:
    with site.running() as client:
        ask(client, files("a.tif"))
        ask(client, wire.GetSettings())
        with pytest.raises(RefusedError):
            ask(client, wire.DeleteProfile("nothing"))
        assert entries(client) == []


def test_what_nobody_had_a_right_to_is_told(site: Site) -> None:
    with closing(Session(site.data, site.processing)) as session:
        session.note_refused(Who("eve", "", "cli"), "processing.pause", "an observer commands nothing")
        session.commit(0.0)
        (entry,) = session.store.audit(wire.GetAudit()).entries
    assert (entry.user, entry.action, entry.detail, entry.outcome) == (
        *("eve", "processing.pause", "an observer commands nothing", AuditOutcome.REFUSED),
    )


@pytest.mark.parametrize("damaged", [False, True])
def test_a_state_that_is_made_anew_keeps_what_can_be_read(site: Site, damaged: bool) -> None:
    with closing(Session(site.data, site.processing)) as session:
        long = [row(number, detail="x" * LONGEST_DETAIL) for number in range(1, 41)]
        fill(session.store, *long, row(41, outcome=AuditOutcome.REFUSED))
        before = session.store.audit(wire.GetAudit()).entries
        path = session.store.path
    if damaged:
        with closing(sqlite3.connect(path)) as db:
            (root,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'settings'").fetchone()
            (size,) = db.execute("PRAGMA page_size").fetchone()
        content = bytearray(path.read_bytes())
        content[(root - 1) * size : root * size] = bytes(size)
        path.write_bytes(content)
    lines = rebuild(site.data, site.processing)
    assert any(line.startswith("settings could not be known") for line in lines) is damaged
    with closing(Session(site.data, site.processing)) as session:
        kept = session.store.audit(wire.GetAudit()).entries
        assert kept == before


# --- the table ---------------------------------------------------------------------------------------------------


def test_pages_are_newest_first_and_lead_to_all_that_is_older(store: Store) -> None:
    fill(store, *(row(number) for number in range(1, 26)))
    found, before = [], None
    while True:
        page = store.audit(wire.GetAudit(before=before, limit=10))
        found += [one.id for one in page.entries]
        if page.next_before is None:
            break
        before = page.next_before
    assert found == list(range(25, 0, -1))


def test_a_page_of_the_longest_entries_fits_a_frame(store: Store) -> None:
    names = {"user": "ä" * 100, "by": "ä" * 100, "via": "ä" * 100, "detail": "…" * LONGEST_DETAIL}
    fill(store, *(row(number, **names) for number in range(1, 501)))
    page = store.audit(wire.GetAudit(limit=1000))
    assert len(encode(Envelope(page.TYPE, page.to_body(), "scheduler"))) < MAX_FRAME_BYTES
    assert 100 < len(page.entries) < 500
    assert page.next_before == page.entries[-1].id


def test_entries_are_found_by_who_by_action_and_by_time(store: Store) -> None:
    fill(
        store,
        row(1, user="", by="Ada Lovelace", via="cli", action="settings.patch"),
        row(2, user="ada", action="settings.put"),
        row(3, user="bob", action="settingsx"),
        row(4, user="bob", via="api", action="item.select"),
    )

    def found(**wanted: Any) -> list[int]:
        return [one.id for one in store.audit(wire.GetAudit(**wanted)).entries]

    assert found(user="ADA") == [2, 1]
    assert found(user="api") == [4]
    assert found(user="%") == []
    assert found(action="settings") == [2, 1]
    assert found(action="settings.put") == [2]
    assert found(since=3.0) == [4, 3]
    assert found(user="bob", action="item", since=2.0) == [4]


def test_the_oldest_entries_go_and_refused_ones_push_out_nothing_that_was_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "AUDIT_KEPT", {AuditOutcome.DONE: 20, AuditOutcome.REFUSED: 5})
    fill(store, *(row(number) for number in range(1, 11)))
    for number in range(11, 51):
        fill(store, row(number, AuditOutcome.REFUSED))
    kept = store.audit(wire.GetAudit(limit=1000)).entries
    assert [one.id for one in kept] == [*range(50, 45, -1), *range(10, 0, -1)]
    fill(store, *(row(number) for number in range(51, 100)))
    kept = store.audit(wire.GetAudit(limit=1000)).entries
    assert [one.id for one in kept] == [*range(99, 79, -1), *range(50, 45, -1)]
    assert store.newest_audit_entry() == 99
