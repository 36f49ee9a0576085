"""Who changed what: an entry for each request of a person that has changed something, or that was refused.

An entry follows from a request and its effects, and is stored in the commit that stores these. The machine knows
nothing of it: a recording replays without.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import shorten

from warpcore.bus.limits import LONGEST_BY
from warpcore.bus.messages import NoteAudit
from warpcore.bus.schema import REGISTRY, Message
from warpcore.bus.vocabulary import AuditOutcome
from warpcore.services.scheduler.core.audit_words import LONGEST_DETAIL, WORDS, Deed, Effects
from warpcore.services.scheduler.core.effects import SaveAudit
from warpcore.services.scheduler.core.rows import AuditRow
from warpcore.services.scheduler.core.wording import without_credentials
from warpcore.services.session.errors import one_line

JOINED_S = 60.0
"""Requests that make one change, such as a choice for very many movies, give one entry if they follow so soon."""
MOST_REFUSED = 10
"""Entries of refused requests in `REFUSED_WITHIN_S`; of more only the number is told."""
REFUSED_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks: the name that a key or token proves, the name that was typed, and the program that asks."""

    user: str = ""
    by: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class Asking:
    """A request of a person that may change something, and who asks."""

    message: Message
    who: Who


def asking(message: Message, user: str, source: str) -> Asking | None:
    """The request of `user` ("" where nobody is proven) by the program `source`; None for one that is not audited."""
    audited = type(message) in WORDS or isinstance(message, NoteAudit)
    return Asking(message, who(message, user, source)) if audited else None


def who(message: Message | None, user: str, source: str) -> Who:
    """Who asks; `message` is None where it could not be read."""
    return Who(_name(user), _name(getattr(message, "by", "")), _name(source))


def is_audited(action: str) -> bool:
    """Whether a person makes requests of this type, and they change something."""
    return REGISTRY.get(action) in WORDS


@dataclass(frozen=True, slots=True)
class _Open:
    """The last entry, to which a request that follows may belong; `at` is in monotonic seconds."""

    row: AuditRow
    deed: Deed
    at: float


class Trail:
    """Makes the entries of a run. `newest` is the highest id that is stored. Times are monotonic and epoch seconds."""

    def __init__(self, newest: int) -> None:
        self._newest = newest
        self._open: _Open | None = None
        self._refused_since = -REFUSED_WITHIN_S
        self._refused = self._untold = 0

    def forget(self) -> None:
        """The last entry may not have been stored: no other is joined to it."""
        self._open = None

    def done(self, asked: Asking, effects: Effects, now: float, wall: float) -> list[SaveAudit]:
        """The entry of a request that had these effects; none where it has changed nothing."""
        if isinstance(asked.message, NoteAudit):
            return self._noted(asked.who, asked.message, now, wall)
        deed = WORDS[type(asked.message)](asked.message, effects)
        if deed is None:
            return []
        last, action = self._open, asked.message.TYPE
        if last is not None and self._is_joined(last, asked.who, action, deed, now):
            deed = Deed(deed.text, last.deed.movies + deed.movies, deed.part_of)
            row = last.row._replace(at=wall, detail=_detail(deed.in_words()))
        else:
            row = self._row(asked.who, action, deed.in_words(), AuditOutcome.DONE, wall)
        self._open = _Open(row, deed, now)
        return [SaveAudit(row)]

    def refused(self, who: Who, action: str, why: str, now: float, wall: float) -> list[SaveAudit]:
        """The entry of a request that whoever asked has no right to; none where too many were refused lately."""
        if now - self._refused_since >= REFUSED_WITHIN_S:
            self._refused_since, self._refused = now, 0
        if self._refused >= MOST_REFUSED:
            self._untold += 1
            return []
        before = f" (before that, {self._untold} more were refused)" if self._untold else ""
        self._refused, self._untold, self._open = self._refused + 1, 0, None
        return [SaveAudit(self._row(who, _name(action), f"{why}{before}", AuditOutcome.REFUSED, wall))]

    def elsewhere(self, who: Who, action: str, detail: str, at: float) -> list[SaveAudit]:
        """The entry of what was changed without a request, `at` a time (epoch seconds)."""
        self._open = None
        who = Who(_name(who.user), _name(who.by), _name(who.via))
        return [SaveAudit(self._row(who, _name(action), detail, AuditOutcome.DONE, at))]

    def _noted(self, who: Who, note: NoteAudit, now: float, wall: float) -> list[SaveAudit]:
        """The entry of what was done or refused by the API."""
        if note.outcome is AuditOutcome.REFUSED:
            return self.refused(who, note.action, note.detail, now, wall)
        return self.elsewhere(who, note.action, note.detail, wall)

    @staticmethod
    def _is_joined(last: _Open, who: Who, action: str, deed: Deed, now: float) -> bool:
        """Whether a request goes on with the change that the last entry tells of."""
        same = (last.row.user, last.row.by, last.row.via, last.row.action) == (who.user, who.by, who.via, action)
        return same and bool(deed.part_of) and deed.part_of == last.deed.part_of and now - last.at < JOINED_S

    def _row(self, who: Who, action: str, detail: str, outcome: AuditOutcome, wall: float) -> AuditRow:
        self._newest += 1
        return AuditRow(self._newest, wall, who.user, who.by, who.via, action, _detail(detail), outcome.value)


def _name(text: str) -> str:
    return without_credentials(one_line(text))[:LONGEST_BY]


def _detail(text: str) -> str:
    return shorten(without_credentials(one_line(text)), LONGEST_DETAIL, placeholder=" …")
