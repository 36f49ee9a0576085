"""What the API itself changes or refuses, told to the scheduler's audit log: no other request of it gets there."""

from __future__ import annotations

import asyncio
import logging

from warpcore.bus.client import NoAnswerError, RefusedError
from warpcore.bus.envelope import WireError
from warpcore.bus.messages import NoteAudit, Ok
from warpcore.bus.vocabulary import AuditOutcome
from warpcore.services.access.changes import AccessAction
from warpcore.services.api.client import Scheduler, ask

log = logging.getLogger(__name__)


class AuditNotes:
    """Tells in the name of whose request is being answered. What the scheduler does not take is in the API's log."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._telling: asyncio.Task[None] | None = None

    async def done(self, action: AccessAction, detail: str) -> None:
        """Tell what was changed."""
        await self._tell(NoteAudit(action, detail, AuditOutcome.DONE))

    def refused(self, action: str, why: str) -> None:
        """Tell what somebody had no right to, without waiting: one at a time, others of a flood are passed over."""
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell(NoteAudit(action, why, AuditOutcome.REFUSED)))

    async def _tell(self, note: NoteAudit) -> None:
        try:
            await ask(self._scheduler, note, Ok)
        except (NoAnswerError, RefusedError, WireError) as error:
            log.warning("not in the audit log: %s, %s: %s (%s)", note.outcome, note.action, note.detail, error)
