"""Who changed what."""

from __future__ import annotations

from typing import Annotated, Self

from msgspec import Meta

from warpcore.bus.messages import Audit, AuditEntry
from warpcore.bus.vocabulary import AuditOutcome
from warpcore.services.api.views._naming import Time, View, utc


class AuditEntryView(View, frozen=True):
    """What somebody has changed, or had no right to."""

    id: Annotated[int, Meta(description="Grows with each entry.")]
    at: Time
    user: Annotated[str, Meta(description="Name of the key or token that proved who asked; empty: neither is used.")]
    by: Annotated[str, Meta(description="The name that was typed, which nothing proves.")]
    via: Annotated[str, Meta(description="The program that asked: `api`, `cli`; `start`: a start of the session.")]
    action: Annotated[str, Meta(description="The request's type, such as `settings.patch`.")]
    detail: Annotated[str, Meta(description="What was changed, in words.")]
    outcome: AuditOutcome

    @classmethod
    def of_entry(cls, entry: AuditEntry) -> Self:
        """The view of an entry."""
        return cls.of(entry, at=utc(entry.at))


class AuditView(View, frozen=True):
    """A page of the audit log."""

    entries: Annotated[list[AuditEntryView], Meta(description="The newest first.")]
    next_before: Annotated[int | None, Meta(description="`before` of the next page; null: there is none.")]

    @classmethod
    def of_audit(cls, page: Audit) -> Self:
        """The view of a page."""
        return cls(entries=[AuditEntryView.of_entry(one) for one in page.entries], next_before=page.next_before)
