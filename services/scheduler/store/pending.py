"""What a round of the scheduler is to write, from its effects."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import msgspec

from warpcore.services.scheduler.core import effects as e
from warpcore.services.scheduler.core.rows import BanRow
from warpcore.services.scheduler.store import tables as t
from warpcore.services.session.migrations import LATEST


@dataclass(slots=True)
class Pending:
    """What to write: the newest row of each table and key; None stands for a row to delete."""

    meta: dict[str, Any] = field(default_factory=dict)
    rows: dict[t.Table, dict[tuple[Any, ...], Any]] = field(default_factory=lambda: defaultdict(dict))
    settings: tuple[str, int, str, str, str] | None = None
    changes: list[tuple[int, str, bytes]] = field(default_factory=list)

    def save(self, table: t.Table, row: Any) -> None:
        """Write a row."""
        self.rows[table][table.key(row)] = row

    def drop(self, table: t.Table, *key: Any) -> None:
        """Delete the row of a key."""
        self.rows[table][key] = None

    def take(self, newer: Pending) -> None:
        """Add what is newer."""
        # An older task may be saved after a newer one. The last lease must not go down: it would be given twice.
        lease = max(self.meta.get("lease", 0), newer.meta.get("lease", 0))
        self.meta.update(newer.meta)
        if lease:
            self.meta["lease"] = lease
        for table, rows in newer.rows.items():
            self.rows[table].update(rows)
        self.settings = newer.settings or self.settings
        self.changes += newer.changes

    def note(self, effect: e.Effect, last_lease: int) -> None:
        """Take in what is to be stored of an effect, if anything. `last_lease` is the last one that is stored."""
        match effect:
            case e.Publish(topic, body, seq):
                if seq:
                    self.meta["seq"] = seq
                    self.changes.append((seq, topic, msgspec.msgpack.encode(body)))
            case e.SaveMovie(row):
                self.save(t.MOVIES, row)
            case e.SaveTask(row):
                self.meta["lease"] = max(row.lease, self.meta.get("lease", 0), last_lease)
                self.save(t.LEASES, row)
            case e.DropTask(lease):
                self.drop(t.LEASES, lease)
            case e.Reply() | e.Send() | e.PlaceOutputs() | e.DropStaging():
                pass  # told here, as each task has these: the cases are tried one after the other
            case e.DropMovie(movie=id, last=last):
                self.drop(t.MOVIES, id)
                self.drop(t.HAND_PICKS, id)
                self.meta["last_movie"] = last
            case e.SaveExport(row, items):
                self.save(t.EXPORTS, row)
                for item in items:
                    self.save(t.EXPORT_MOVIES, item)
            case e.DropExport(job, movies, last):
                self.drop(t.EXPORTS, job)
                for movie in movies:
                    self.drop(t.EXPORT_MOVIES, job, movie)
                self.meta["last_export"] = last
            case e.SaveChoice(row):
                self.save(t.CHOICES, row)
            case e.SaveSelection(row):
                self.save(t.SELECTIONS, row)
            case e.DropSelection(number):
                self.drop(t.SELECTIONS, number)
            case e.SaveHandPicks(row):
                self.save(t.HAND_PICKS, row)
            case e.SaveTry(row):
                self.save(t.TRIES, row)
            case e.DropTry(number):
                self.drop(t.TRIES, number)
            case e.SaveProfile(row):
                self.save(t.PROFILES, row)
            case e.DropProfile(name):
                self.drop(t.PROFILES, name)
            case e.SaveRevision(row):
                self.save(t.HISTORY, row)
            case e.SaveAudit(row):
                self.save(t.AUDIT, row)
            case e.SaveSettings(settings, revision, references, set_aside):
                aside = json.dumps(set_aside)
                self.settings = (json.dumps(settings), revision, references, LATEST, aside)
            case e.SavePaused(by):
                self.meta["paused"] = by or ""
            case e.SaveOrder(order):
                self.meta["order"] = str(order)
            case e.SaveLastGroup(last):
                self.meta["last_optics_group"] = last
            case e.SaveAlarms(alarms):
                self.meta["alarms"] = json.dumps([alarm.to_body() for alarm in alarms])
            case e.SavePool(row):
                self.save(t.POOLS, row)
            case e.DropPool(name):
                self.drop(t.POOLS, name)
            case e.SaveBan(ban):
                self.save(t.BANS, BanRow(ban.worker, ban.instance, ban.reason))
            case e.LiftBan(worker):
                self.drop(t.BANS, worker)
            case e.CutLog(seq):
                self.meta["seq"] = self.meta["floor"] = seq
            case _:
                pass
