"""What a message with notices says: its subject, its text, and its form for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from warpcore.bus.vocabulary import Severity
from warpcore.services.notifier.state import Notice


def subject(notices: Sequence[Notice], session: str) -> str:
    """`Krios 1: critical: no worker runs; 2 more`. It is one line."""
    first = max(notices, key=_weight)
    word = "ended" if first.ended else first.alarm.severity
    more = f"; {len(notices) - 1} more" if len(notices) > 1 else ""
    return " ".join(f"{session}: {word}: {first.alarm.title}{more}".split())


def text(notices: Sequence[Notice]) -> str:
    """One line a notice."""
    return "\n".join(line(notice) for notice in notices)


def line(notice: Notice) -> str:
    """`2026-11-26 10:45 UTC warning: …`."""
    alarm = notice.alarm
    told = f"ended: {alarm.title}" if notice.ended else f"{alarm.severity}: {' '.join(alarm.text.split())}"
    return f"{_time(notice.at):%Y-%m-%d %H:%M} UTC {told}"


def document(notices: Sequence[Notice], session: str) -> dict[str, Any]:
    """The JSON of a webhook. `text` is what chat services show."""
    return {
        "text": f"{subject(notices, session)}\n{text(notices)}",
        "session": session,
        "alarms": [
            {
                "event": "ended" if notice.ended else "raised",
                "at": _time(notice.at).isoformat(),
                "id": notice.alarm.id,
                "severity": str(notice.alarm.severity),
                "subject": notice.alarm.subject,
                "title": notice.alarm.title,
                "text": notice.alarm.text,
            }
            for notice in notices
        ],
    }


def _weight(notice: Notice) -> tuple[bool, bool]:
    """What stands in the subject: an alarm before an end, a critical one before a warning."""
    return not notice.ended, notice.alarm.severity == Severity.CRITICAL


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
