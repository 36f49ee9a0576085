"""The page's words are those of the vocabulary: a new kind, order or reason needs its words there too."""

from __future__ import annotations

from pathlib import Path

from warpcore.bus.vocabulary import FailureKind, Order, Throttling

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
