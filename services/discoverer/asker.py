"""Requests to the scheduler beside the main loop, which never waits for an answer."""

from __future__ import annotations

import logging
import random
import time

from warpcore.bus.dealer import Dealer
from warpcore.bus.envelope import new_id
from warpcore.bus.keys import ClientKey
from warpcore.bus.messages import Error
from warpcore.bus.requester import Patience, Requester, read_answer
from warpcore.bus.schema import Message

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 2.0
LONGEST_PAUSE_S = 5.0
_FIRST_PAUSE_S = 0.25


class Asker:
    """One request at a time, sent again and again under one id until there is an answer. Nothing here blocks."""

    def __init__(self, endpoint: str, source: str, key: ClientKey | None = None) -> None:
        self._patience = Patience(ANSWER_TIMEOUT_S, None, _FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._requester = Requester()
        self._dealer = Dealer(endpoint, f"{source}-{new_id()}".encode()[-64:], source, queued=1, key=key)
        self._silent = False
        self._refusals = 0
        self._not_before = 0.0

    def is_free(self, now: float) -> bool:
        """Whether a request can be asked now."""
        return not self._requester.questions and now >= self._not_before

    def ask(self, request: Message) -> None:
        """Begin to ask; the answer comes from `answered` some time later."""
        assert not self._requester.questions
        now = time.monotonic()
        self._requester.ask(request, self._patience, now)
        self._send_due(now)

    def answered(self, now: float) -> tuple[Message, Message] | None:
        """(request, answer), once; the answer may be an Error. None while there is none."""
        for envelope in self._dealer.receive():
            question = self._requester.answered(envelope.reply_to)
            if question is None:
                continue
            answer = read_answer(envelope, self._dealer.endpoint)
            if not isinstance(answer, Error):
                if self._silent or self._refusals:
                    log.info("%s answers again", self._dealer.endpoint)
                self._silent, self._refusals = False, 0
            return question.message, answer
        self._send_due(now)
        return None

    def back_off(self, now: float) -> None:
        """Ask nothing for a pause at random, which doubles with each call until the next success."""
        self._refusals += 1
        self._not_before = now + self._patience.pause_s(self._refusals, random.random())

    def close(self) -> None:
        """Give up what is asked; it is not delivered later."""
        self._dealer.close()

    def _send_due(self, now: float) -> None:
        for question in self._requester.due(now):
            if question.attempts == 2 and not self._silent:
                self._silent = True
                where, what = self._dealer.endpoint, question.message.TYPE
                log.warning(
                    "no answer from %s to %s; is the scheduler running there? asking until it answers", where, what
                )
            self._dealer.send(question.message, id=question.id)
