"""Who changed what."""

from __future__ import annotations

from warpcore.bus import limits
from warpcore.bus.messages.common import Ok
from warpcore.bus.schema import Message, Port, message, part
from warpcore.bus.vocabulary import AuditOutcome


@part
class AuditEntry(Message, frozen=True):
    """What somebody has changed, or had no right to, `at` a time (epoch seconds).

    `user` is the name of the key or token that proved who asked, "" where neither is used; `by` is the name that was
    typed, and `via` the program that asked. `action` is the type of the request, `detail` says in words what it did.
    """

    id: int
    at: float
    user: str
    by: str
    via: str
    action: str
    detail: str
    outcome: AuditOutcome


@message("audit")
class Audit(Message, frozen=True):
    """Entries, newest first. Where `next_before` is not null there may be older ones: ask with it as `before`."""

    entries: list[AuditEntry]
    next_before: int | None = None


@message("audit.get", port=Port.CONTROL, answers=(Audit,))
class GetAudit(Message, frozen=True):
    """The entries with an id < `before` (null: the newest), at most `limit` and as many as fit a frame.

    `user`: only those whose `user`, `by` or `via` holds this text, in any case. `action`: only this type of request, or
    those of an area, such as `settings`. `since`: only those of this time (epoch seconds) and later.
    """

    before: int | None = None
    limit: int = limits.PAGE
    user: str = ""
    action: str = ""
    since: float = 0.0


@message("audit.note", port=Port.CONTROL, answers=(Ok,))
class NoteAudit(Message, frozen=True):
    """From the API: what someone has changed there or had no right to there, so that no request of it comes here.

    Of a flood of refused requests some are written.
    """

    action: str
    detail: str
    outcome: AuditOutcome
