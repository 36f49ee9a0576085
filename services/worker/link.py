"""A worker's connection to one scheduler: what is heard, and what is told of the log and of the folders."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from warpcore.bus import messages as m
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, WireError
from warpcore.bus.keys import ClientKey
from warpcore.bus.requester import read_answer
from warpcore.bus.schema import Message, read_message
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.session.path_map import PathMap
from warpcore.services.worker.log_lines import LogLines, Reader
from warpcore.services.worker.nanny import Nanny
from warpcore.services.worker.seeing import FolderLook, trouble

log = logging.getLogger("warpcore.worker")


class Link:
    """Hears and tells on behalf of one nanny."""

    def __init__(
        self, endpoints: Endpoints, nanny: Nanny, key: ClientKey | None, lines: LogLines, paths: PathMap
    ) -> None:
        """`paths` says where this host sees the folders that the scheduler names."""
        self._nanny = nanny
        self.name = nanny.identity.name
        self.dealer = Dealer(endpoints.workers, nanny.identity.instance.encode(), self.name, key=key)
        self.folders = FolderLook(self.name, paths)
        self._log = Reader(lines)
        self._unseen = ""
        self._told_taken = self._told_refusal = ""

    def close(self) -> None:
        """Disconnect."""
        self.dealer.close()

    def heard(self) -> Iterator[tuple[Message, str | None]]:
        """The messages that have come, each with the id of the request that it answers."""
        for envelope in self.dealer.receive():
            message = self._read(envelope)
            if message is not None:
                yield message, envelope.reply_to

    def tell(self, now: float) -> None:
        """Send what was seen of the folders, and the next lines of the log."""
        if (seen := self.folders.answer(now)) is not None:
            before, self._unseen = self._unseen, trouble(seen)
            if bool(before) != bool(self._unseen):
                log.warning("%s", self._unseen or "this worker sees the folders of the session again")
            self.dealer.send(seen)
        if self._nanny.registered and (lines := self._log.take()):
            self.dealer.send(m.WorkerLog(worker=self.name, lines=lines))

    def _read(self, envelope: Envelope) -> Message | None:
        """The message, None for one that cannot be read; what a person should know of it is logged."""
        if envelope.reply_to is not None:
            message = read_answer(envelope, self.dealer.endpoint)
        else:
            try:
                message = read_message(envelope.type, envelope.body)
            except WireError as error:
                log.warning("dropped a message of the scheduler: %s", error)
                return None
        if envelope.reply_to is not None and not isinstance(message, m.Error):
            self._told_refusal = ""
        match message:
            case m.Error():
                self._tell_refused(message)
            case m.WaitForName():
                self._tell_taken(message)
            case m.CancelTask():
                text, lease = "the scheduler cancels lease %d: %s", message.lease
                log.info(text, lease, message.reason, extra={"lease": lease})
            case m.WorkerRegistered():
                self._log.tell_again()
            case m.AssignTask():
                self._log.sessions.add(message.processing_directory)
        return message

    def _tell_refused(self, error: m.Error) -> None:
        """Say once why the scheduler refuses what this worker sends, until it answers again."""
        if error.detail == self._told_refusal:
            return
        self._told_refusal = error.detail
        if error.code == ErrorCode.FORBIDDEN:
            text = "the scheduler refuses this worker: %s; it gets no movies until its --key allows it, and asks again"
        else:
            text = "the scheduler refuses a request of this worker: %s; asking again"
        log.warning(text, error.detail)

    def _tell_taken(self, taken: m.WaitForName) -> None:
        """Say once for each other instance of this worker's name why it gets no movies."""
        if taken.instance == self._told_taken:
            return
        self._told_taken = taken.instance
        who = f"process {taken.pid} on {taken.host}" if taken.host else "a worker of before the scheduler's restart"
        log.warning(
            "the name %s is taken by %s, heard %.0f s ago; this worker waits until that one has ended or is silent. "
            "To run both, give one of them another --name",
            *(taken.worker, who, taken.silent_s),
        )
