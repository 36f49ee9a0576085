"""Which connections are taken, and which are closed because they take too long. No sockets, no clocks."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network, ip_address


class Phase(StrEnum):
    """What a connection does."""

    HEAD = "head"
    """It was accepted, or has begun to send a request, and the head of that is not complete."""
    BODY = "body"
    """The head is there, the body is not complete."""
    ANSWER = "answer"
    """The whole request is there; it is answered, for as long as that takes."""
    IDLE = "idle"
    """It was answered, and nothing more has come. gunicorn itself closes those that stay so."""
    CLOSING = "closing"
    """The last that was written waits to be taken by the client."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many connections there may be, and how long each phase may last in seconds.

    `stalled_s`: how long the client may take nothing of an answer while more waits.
    """

    most: int = 2048
    most_of_one: int = 512
    head_s: float = 10.0
    body_s: float = 30.0
    stalled_s: float = 60.0


@dataclass(slots=True)
class Connection:
    """One connection: its client, its phase and since when; bytes that wait to be taken, and the last sign of that."""

    client: str
    phase: Phase
    since: float
    left: int = 0
    took_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a new connection is taken, and which other one has to go for it."""

    taken: bool
    instead_of: int | None = None


class Connections:
    """All connections of a process by number. Times are those of any one monotonic clock, in seconds.

    Where there are too many, one that waits for its client goes: of those without a request in work, the one that has
    waited longest, of the client that has most of them. So slow heads push out each other, and nobody else.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._all: dict[int, Connection] = {}

    def __len__(self) -> int:
        return len(self._all)

    def admit(self, number: int, client: str, now: float, *, is_proxy: bool = False) -> Admission:
        """Take a new connection, where there is room or another one can go.

        A proxy speaks for many clients: it may have all connections.
        """
        own = [one for one, told in self._all.items() if told.client == client]
        among = None
        if len(own) >= self.limits.most_of_one and not is_proxy:
            among = own
        elif len(self._all) >= self.limits.most:
            among = self._of_most_waiting()
        instead_of = None
        if among is not None:
            instead_of = self._longest_waiting(among)
            if instead_of is None:
                return Admission(False)
            del self._all[instead_of]
        self._all[number] = Connection(client, Phase.HEAD, now)
        return Admission(True, instead_of)

    def turns(self, number: int, phase: Phase, now: float) -> None:
        """A connection comes into a phase. One that is gone already stays so."""
        found = self._all.get(number)
        if found is not None and found.phase not in (phase, Phase.CLOSING):
            found.phase, found.since = phase, now

    def waits(self, number: int, left: int, now: float) -> None:
        """So many bytes of what was written wait for the client to take them. Fewer than before: it takes some."""
        found = self._all.get(number)
        if found is not None:
            if left < found.left or not found.left:
                found.took_at = now
            found.left = left

    def takes(self, number: int, now: float) -> None:
        """The client has taken some of what waits, whatever was written since."""
        found = self._all.get(number)
        if found is not None:
            found.took_at = now

    def goes(self, number: int) -> None:
        """A connection is no more."""
        self._all.pop(number, None)

    def phase(self, number: int) -> Phase | None:
        """The phase of a connection; None for one that is gone."""
        found = self._all.get(number)
        return None if found is None else found.phase

    def overdue(self, now: float) -> list[int]:
        """Those that have taken longer than they may."""
        return [number for number, told in self._all.items() if self._is_overdue(told, now)]

    def waiting(self) -> list[int]:
        """Those that have sent no whole request, or none since their last answer."""
        return [number for number, told in self._all.items() if told.phase in (Phase.HEAD, Phase.IDLE)]

    def _is_overdue(self, told: Connection, now: float) -> bool:
        if told.left and now - told.took_at > self.limits.stalled_s:
            return True
        longest = {Phase.HEAD: self.limits.head_s, Phase.BODY: self.limits.body_s}.get(told.phase)
        return longest is not None and now - told.since > longest

    def _of_most_waiting(self) -> list[int]:
        """The connections of the client that has most that could go."""
        waiting = Counter(told.client for told in self._all.values() if told.phase in _CAN_GO)
        client = waiting.most_common(1)[0][0] if waiting else ""
        return [number for number, told in self._all.items() if told.client == client]

    def _longest_waiting(self, among: list[int]) -> int | None:
        can_go = [(self._all[number].since, number) for number in among if self._all[number].phase in _CAN_GO]
        return min(can_go)[1] if can_go else None


_CAN_GO = (Phase.HEAD, Phase.IDLE, Phase.CLOSING)


def client_of(address: str) -> str:
    """Whom an address belongs to: itself, and for IPv6 its /64, all of which one client may use.

    An address that is none, such as what a proxy makes up, is a client too.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped else str(IPv6Network((found, 64), strict=False))
    return str(found)
