"""What the database alone keeps, page by page and newest first: changes of settings, and who changed what."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

from warpcore.bus.limits import LARGEST_PAGE
from warpcore.bus.messages import Audit, AuditEntry, GetAudit, SettingsRevision
from warpcore.bus.vocabulary import AuditOutcome
from warpcore.services.scheduler.core.rows import AuditRow, RevisionRow

SETTINGS_KEPT = 1000
"""Changes of the settings that are kept."""
AUDIT_KEPT = {AuditOutcome.DONE: 10_000, AuditOutcome.REFUSED: 1000}
"""Entries that are kept, by outcome: what is refused to a stranger pushes out nothing that was done."""
PAGE_BYTES = 900_000
"""Bytes of texts in one answer, so that it fits a frame."""
_LARGEST = 2**63 - 1


def trim_settings(db: sqlite3.Connection, newest: int) -> None:
    """Delete the oldest changes of the settings, where `newest` is the present revision."""
    db.execute("DELETE FROM settings_history WHERE revision <= ?", (newest - SETTINGS_KEPT,))


def settings_history(db: sqlite3.Connection, before: int | None, limit: int) -> list[SettingsRevision]:
    """The changes of the settings with a revision < `before`, as many as fit a frame."""
    found: list[SettingsRevision] = []
    left = PAGE_BYTES
    query = "SELECT * FROM settings_history WHERE revision < ? ORDER BY revision DESC LIMIT ?"
    bounds = (before if before is not None else _LARGEST, min(max(1, limit), SETTINGS_KEPT))
    for row in map(RevisionRow._make, db.execute(query, bounds)):
        left -= len(row.changed.encode())
        if left < 0 and found:
            break
        found.append(SettingsRevision(row.revision, row.at, row.by, json.loads(row.changed)))
    return found


def newest_entry(db: sqlite3.Connection) -> int:
    """The highest id of an entry of the audit log, 0 where there is none."""
    (newest,) = db.execute("SELECT COALESCE(MAX(id), 0) FROM audit").fetchone()
    return int(newest)


def has_entry(db: sqlite3.Connection, at: float, action: str) -> bool:
    """Whether the audit log has an entry of this moment and action."""
    (found,) = db.execute("SELECT EXISTS (SELECT 1 FROM audit WHERE at = ? AND action = ?)", (at, action)).fetchone()
    return bool(found)


def trim_audit(db: sqlite3.Connection, outcomes: Iterable[str]) -> None:
    """Delete the oldest entries of these outcomes."""
    for outcome in set(outcomes):
        db.execute(_TRIM_AUDIT, (outcome, outcome, AUDIT_KEPT[AuditOutcome(outcome)]))


def audit(db: sqlite3.Connection, wanted: GetAudit) -> Audit:
    """A page of the audit log, as many entries as fit a frame."""
    limit = min(max(1, wanted.limit), LARGEST_PAGE)
    before = wanted.before if wanted.before is not None else _LARGEST
    values = {"before": before, "since": wanted.since, "user": wanted.user, "action": wanted.action, "limit": limit + 1}
    found: list[AuditEntry] = []
    left = PAGE_BYTES
    for row in map(AuditRow._make, db.execute(_AUDIT, values)):
        left -= _ENTRY_BYTES + len("".join((row.user, row.by, row.via, row.action, row.detail)).encode())
        if len(found) == limit or (left < 0 and found):
            return Audit(found, found[-1].id)
        found.append(AuditEntry(*row[:-1], outcome=AuditOutcome(row.outcome)))
    return Audit(found)


_ENTRY_BYTES = 100
"""Bytes of an entry's names and numbers."""
_AUDIT = """SELECT * FROM audit WHERE id < :before AND at >= :since
    AND instr(lower(user || char(10) || by || char(10) || via), lower(:user))
    AND (:action = '' OR action = :action OR substr(action, 1, length(:action) + 1) = :action || '.')
    ORDER BY id DESC LIMIT :limit"""
_TRIM_AUDIT = """DELETE FROM audit WHERE outcome = ? AND id <=
    (SELECT id FROM audit WHERE outcome = ? ORDER BY id DESC LIMIT 1 OFFSET ?)"""
