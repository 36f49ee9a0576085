"""Requests to the scheduler beside the main loop, so that a silent scheduler holds up nothing else."""

from __future__ import annotations

import logging
import random
from concurrent.futures import Future, ThreadPoolExecutor

from warpcore.bus.client import NoAnswerError, RefusedError, RequestClient
from warpcore.bus.messages import Error
from warpcore.bus.schema import Message

log = logging.getLogger(__name__)

ANSWER_TIMEOUT_S = 2.0
LONGEST_BACK_OFF_S = 5.0
_FIRST_BACK_OFF_S = 0.25


class Asker:
    """One request at a time, in a thread of its own, repeated for ever until there is an answer.

    Only for requests that may be carried out twice with the same result.
    """

    def __init__(self, endpoint: str, source: str) -> None:
        self._client = RequestClient(endpoint, source, timeout_s=ANSWER_TIMEOUT_S, attempts=1)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="asker")
        self._request: Message | None = None
        self._future: Future[Message] | None = None
        self._failures = 0
        self._not_before = 0.0

    def is_free(self, now: float) -> bool:
        """Whether a request can be asked now."""
        return self._request is None and now >= self._not_before

    def ask(self, request: Message) -> None:
        """Begin to ask; the answer comes from `answered` some time later."""
        assert self._request is None
        self._request = request
        self._future = self._thread.submit(self._client.request, request)

    def answered(self, now: float) -> tuple[Message, Message] | None:
        """(request, answer), once; the answer may be an Error. None while there is none."""
        if self._request is None:
            return None
        if self._future is None:
            if now >= self._not_before:
                self._future = self._thread.submit(self._client.request, self._request)
            return None
        if not self._future.done():
            return None
        future, self._future = self._future, None
        try:
            answer = future.result()
        except NoAnswerError as error:
            if self._failures == 0:
                log.warning("%s; trying on until it answers", error)
            self.back_off(now)
            return None
        except RefusedError as refusal:
            answer = refusal.error
        if self._failures and not isinstance(answer, Error):
            log.info("%s answers again", self._client.endpoint)
            self._failures = 0
        request, self._request = self._request, None
        return request, answer

    def back_off(self, now: float) -> None:
        """Ask nothing for a jittered time that doubles until the next success."""
        pause = min(_FIRST_BACK_OFF_S * 2.0 ** min(self._failures, 10), LONGEST_BACK_OFF_S)
        self._failures += 1
        self._not_before = now + random.uniform(0.5, 1.0) * pause

    def close(self) -> None:
        """Give up what is asked; takes the time of one attempt at most."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        self._client.close()
