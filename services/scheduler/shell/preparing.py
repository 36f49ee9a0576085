"""Requests whose files are looked at before the machine decides: one after another, beside the loop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from warpcore.services.process.side_thread import SILENT_S, SideThread
from warpcore.services.scheduler.core.stimuli import Stimulus

MOST_WAITING = 32

A = TypeVar("A")
Look = Callable[[], Stimulus]


class PrepareError(Exception):
    """A request cannot be prepared now; the text says why and what to do."""


@dataclass(slots=True)
class _Request(Generic[A]):
    """`begin` is called on the loop when its turn comes, and gives what looks at the files."""

    key: Hashable
    asked: A
    begin: Callable[[], Look]


class Preparing(Generic[A]):
    """Each request begins once the one before has been decided, so that no change of settings undoes another."""

    def __init__(self) -> None:
        self._thread: SideThread[Stimulus] = SideThread("look at reference files")
        self._waiting: deque[_Request[A]] = deque()
        self._present: _Request[A] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a request is being prepared."""
        return self._present is not None

    def knows(self, key: Hashable) -> bool:
        """Whether a request with this key waits or is being prepared: then it was only sent again."""
        present = [self._present] if self._present is not None else []
        return any(request.key == key for request in (*present, *self._waiting))

    def ask(self, key: Hashable, asked: A, begin: Callable[[], Look]) -> None:
        """Prepare a request when its turn comes. Raises PrepareError where too many wait."""
        if len(self._waiting) >= MOST_WAITING:
            raise PrepareError(f"{MOST_WAITING} requests wait for their files to be looked at; ask again")
        self._waiting.append(_Request(key, asked, begin))

    def done(self, now: float) -> Iterator[tuple[A, Stimulus | Exception]]:
        """The requests that are prepared or refused; the next one begins after the caller has dealt with one.

        `now` is in monotonic seconds.
        """
        while self._present is not None or self._waiting:
            if self._present is None:
                self._present = request = self._waiting.popleft()
                try:
                    self._thread.begin(request.begin())
                except Exception as error:  # noqa: BLE001 - it answers this request, and no other
                    self._present = None
                    yield request.asked, error
                    continue
            result = self._result(now)
            if result is None:
                return
            asked, self._present = self._present.asked, None
            yield asked, result

    def _result(self, now: float) -> Stimulus | Exception | None:
        try:
            found = self._thread.taken()
        except Exception as error:  # noqa: BLE001 - it answers this request, and no other
            return error
        if found is None and self._thread.hangs_s(now) > SILENT_S:
            self._thread.give_up()
            text = f"the files that settings name give no answer for {SILENT_S:.0f} s; nothing was changed, ask again"
            return PrepareError(f"{text} once their storage is back")
        return found
