"""`/api/audit`: who changed what when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from warpcore.bus.limits import LARGEST_PAGE, LONGEST_BY, PAGE
from warpcore.bus.messages import Audit, GetAudit
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import LARGEST_NUMBER, Query
from warpcore.services.api.views import AuditView


class AuditQuery(Query, frozen=True):
    """Which entries."""

    user: Annotated[
        str, Meta(max_length=LONGEST_BY, description="Only entries whose `user`, `by` or `via` holds this text.")
    ] = ""
    action: Annotated[
        str, Meta(max_length=100, description="Only this `action`, or those of an area, such as `settings`.")
    ] = ""
    since: Annotated[
        Annotated[datetime, Meta(tz=True)] | None, Meta(description="Only entries of this time and later.")
    ] = None
    before: Annotated[
        Annotated[int, Meta(ge=1, le=LARGEST_NUMBER)] | None,
        Meta(description="Only older entries than this one: `nextBefore` of the page before."),
    ] = None
    limit: Annotated[int, Meta(ge=1, le=LARGEST_PAGE, description="At most so many.")] = PAGE


class AuditResource:
    """`/api/audit`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self, query: AuditQuery) -> AuditView:
        """Who changed what when, the newest first; and what somebody had no right to."""
        since = query.since.timestamp() if query.since is not None else 0.0
        message = GetAudit(query.before, query.limit, query.user, query.action, since)
        return AuditView.of_audit(await ask(self._scheduler, message, Audit))


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {"/api/audit": AuditResource(scheduler)}
