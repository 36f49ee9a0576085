"""The page's words are those of the vocabulary: a new kind, order or reason needs its words there too."""

from __future__ import annotations

import re
from pathlib import Path

from warpcore.bus.limits import LARGEST_POOL
from warpcore.bus.vocabulary import FailureKind, Order, Throttling
from warpcore.services.access.changes import AccessAction
from warpcore.services.scheduler.core import alarm_storage
from warpcore.services.scheduler.core.alarms import RULES
from warpcore.services.scheduler.core.audit_words import WORDS

VIEWS = Path(__file__).resolve().parents[3] / "services" / "api" / "page" / "src" / "views"


def test_the_page_tells_each_kind_of_failure_as_the_vocabulary_does() -> None:
    source = (VIEWS / "failures" / "groups.ts").read_text()
    missing = [kind for kind in FailureKind if f'{kind}: "{kind.meaning}"' not in source]
    assert not missing


def test_the_page_has_words_for_each_order_and_each_reason_of_throttling() -> None:
    summary = (VIEWS / "session" / "summary.tsx").read_text()
    load = (VIEWS / "workers" / "load.ts").read_text()
    assert all(f'value: "{order}"' in summary for order in Order)
    assert all(f'{reason}: "' in load for reason in Throttling)


def test_the_audit_view_offers_each_area_of_actions() -> None:
    offered = re.findall(r'value: "([a-z]+)"', (VIEWS / "audit" / "entries.ts").read_text())
    actions = [message.TYPE for message in WORDS] + list(AccessAction)
    assert set(offered) == {action.partition(".")[0] for action in actions}


def test_the_page_lets_pools_have_as_many_workers_as_the_scheduler() -> None:
    pools = (VIEWS.parent / "api" / "pools.ts").read_text()
    assert re.findall(r"LARGEST_POOL = (\d+);", pools) == [str(LARGEST_POOL)]


def test_the_page_knows_the_alarms_that_say_why_a_session_holds() -> None:
    told = re.search(r"OF_HOLDS = /\^\(([a-z|]+)\):/", (VIEWS / "session" / "sentence.ts").read_text())
    assert told is not None
    assert {RULES[kind].find for kind in told[1].split("|")} == {alarm_storage.disk, alarm_storage.storage}
