"""The scheduler's shell: sockets, clock and files around the pure machine."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import zmq

from warpcore.bus import messages as wire
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, WireError
from warpcore.bus.events import EventHub
from warpcore.bus.rights import Domain
from warpcore.bus.router import Router
from warpcore.bus.schema import REGISTRY, Message, read_message
from warpcore.bus.vocabulary import ErrorCode, StoragePlace
from warpcore.services.access.known import guard_of
from warpcore.services.scheduler.core import audit
from warpcore.services.scheduler.core.deciding import unended_on_disk
from warpcore.services.scheduler.core.effects import OUTWARD, DropTry, Effect, Publish, Reply, Send
from warpcore.services.scheduler.core.handlers import HANDLERS, Handler, Place
from warpcore.services.scheduler.core.merging import ProgressMerger
from warpcore.services.scheduler.core.seeing import is_unsure, known_files, reference_paths
from warpcore.services.scheduler.core.stimuli import (
    AssignmentUndelivered,
    FromControl,
    FromWorker,
    StateFault,
    Stimulus,
    Tick,
)
from warpcore.services.scheduler.core.taking_back import go_on
from warpcore.services.scheduler.core.views import refused_settings
from warpcore.services.scheduler.shell.access_changes import NO_ACCESS, AccessChanges
from warpcore.services.scheduler.shell.answers import SOURCE, Answers, Asked, Round, at_fault
from warpcore.services.scheduler.shell.disk import OutputCheck, TryFolders, recorded_outputs
from warpcore.services.scheduler.shell.keeper import Keeper
from warpcore.services.scheduler.shell.lock import SessionError, locked
from warpcore.services.scheduler.shell.placing import Placer
from warpcore.services.scheduler.shell.preparing import PrepareError, Preparing
from warpcore.services.scheduler.shell.requests import Shell, signed
from warpcore.services.scheduler.shell.session import Session, garbage_looked_for_once
from warpcore.services.scheduler.shell.storage import StorageWatch
from warpcore.services.scheduler.store.recording import RecordError
from warpcore.services.scheduler.store.schema import DamageError, StateError
from warpcore.services.session.allowed import NOTHING_MORE, Readable
from warpcore.services.session.settings import Settings, SettingsError
from warpcore.services.storage.looking import KnownFile

log = logging.getLogger(__name__)

POLL_MS = 100
BUSY_POLL_MS = 5
"""The same while a thread prepares a request, or frames wait for peers that have not read what was sent before."""
SHORT_TAKE_S, LONG_TAKE_S = 0.015, 0.05
"""A round takes in messages of each port for so long, so that nobody's answer waits for the requests of all others.

On a slow disk it takes longer: three times as long as the last commit did, so that most of the time goes to messages.
"""
TICK_S = 0.5
HEARTBEAT_S = 2.0
STORE_AGAIN_S = 1.0
"""After so long what this process itself has seen is handled again, where its round could not be stored."""


def run_scheduler(
    endpoints: Endpoints,
    data_directory: Path,
    processing_directory: Path,
    *,
    state_path: Path | None = None,
    settings: Settings | Callable[[Settings], Settings] | None = None,
    paused: bool | None = None,
    heartbeat_timeout_s: float = 30.0,
    task_timeout_s: float = 1800.0,
    record: Path | None = None,
    readable: Readable = NOTHING_MORE,
    access: Path | None = None,
    stop: threading.Event,
) -> None:
    """Run the scheduler until `stop` is set.

    `settings` (or what it makes of the stored ones) and `paused` replace what is stored, where they are given; `record`
    is a file for all stimuli and effects (`store/recording.py`), `readable` what may be read beside the two directories
    and the folders of files that settings name at the start. `access` is the directory of the keys; without one anybody
    may send anything. Raises SessionError, StateError, SettingsError, RecordError, AccessError or BindError, each one
    clear line, where it cannot begin; nothing that arrives later ends it.
    """
    with locked(processing_directory) as lock:
        session = Session(
            data_directory,
            processing_directory,
            lock=lock,
            state_path=state_path,
            settings=settings,
            paused=paused,
            heartbeat_timeout_s=heartbeat_timeout_s,
            task_timeout_s=task_timeout_s,
            record=record,
            readable=readable,
        )
        try:
            with (
                garbage_looked_for_once(),
                guard_of(access) as guard,
                Router(endpoints.bound(endpoints.controller_port), Domain.WORKERS, guard) as workers,
                Router(endpoints.bound(endpoints.control_port), Domain.CONTROL, guard) as control,
                EventHub(
                    endpoints.bound(endpoints.events_in_port), endpoints.bound(endpoints.events_out_port), guard
                ) as hub,
            ):
                Service(session, workers, control, hub, AccessChanges(access)).run(stop)
        finally:
            session.close()


class Service:
    """One poll round after another: take in, decide, store, and only then answer, send and publish."""

    def __init__(
        self, session: Session, workers: Router, control: Router, hub: EventHub, access: AccessChanges = NO_ACCESS
    ) -> None:
        self._session = session
        self._access_changes = access
        self._workers = workers
        self._control = control
        self._hub = hub
        self._answers = Answers()
        self._progress = ProgressMerger()
        self._round = Round()
        self._undelivered: list[int] = []
        self._unstored: list[Stimulus] = []
        self._unstored_at = 0.0
        self._unread: StateError | None = None
        self._read_at = 0.0
        self._preparing: Preparing[Asked] = Preparing()
        self._commit_s = 0.0
        where = Path(session.state.processing_directory)
        self._placer = Placer(where, session.state.tasks, session.state.last_lease)
        self._tries = TryFolders(where, [attempt.id for attempt in session.state.tries.values()])
        data, state = Path(session.state.data_directory), session.store.path.parent
        self._storage = StorageWatch(data, where, state, self._known_files, lambda: reference_paths(session.state))
        self._check = OutputCheck(recorded_outputs(session.state), where)
        folder = where if session.store.path.is_relative_to(where) else session.store.path.parent
        self._keeper = Keeper(session.store.path, folder)
        self._began = time.monotonic()
        self._tick_at = self._beat_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set."""
        poller = zmq.Poller()
        for one in (self._workers.socket, self._control.socket):
            poller.register(one, zmq.POLLIN)
        self._hub.register(poller)
        try:
            self.begin()
            while not stop.is_set():
                poller.poll(self._pause_ms())
                self.round()
            self._publish_service("service.stopping")
            log.info("the scheduler ends; workers keep what they have")
        finally:
            self._check.close()
            self._keeper.close()
            self._placer.close()
            self._tries.close()

    def begin(self) -> None:
        """Before the first round: go on with what an earlier run has begun, and look at the folders."""
        for warning in self._session.warnings:
            log.warning("%s", warning)
        log.info("%s", self._session.described)
        self._publish_service("service.started")
        self._note(self._session.begun)
        for look in self._storage.first():
            self._handle(look)

    def round(self) -> None:
        """Take in what has come, decide, store, and answer. It waits for nothing.

        While the stored state cannot be read back, nothing is decided, and all that is asked is refused.
        """
        if self._unread is not None and not self._read_again():
            self._refuse_all(self._unread)
            return
        try:
            self._decide()
        except StateError as error:
            self._cannot_read(error)

    def _decide(self) -> None:
        """The round. Raises StateError where the stored state had to be read again and cannot be."""
        self._take_in()
        self._take_prepared()
        for missing in self._check.found():
            self._see(missing)
        for done in self._placer.done():
            self._see(done)
        for fault in self._keeper.faults(self._session):
            self._handle(fault)
        self._look_at_storage()
        self._note_access_changes()
        self._keep_time()
        self._flush()

    def _pause_ms(self) -> int:
        """How long a round may wait for messages; a thread that has ended wakes nobody."""
        if self._undelivered and self._unread is None:
            return 0
        busy = self._preparing.is_busy or self._workers.has_waiting or self._control.has_waiting
        return BUSY_POLL_MS if busy else POLL_MS

    # --- in ------------------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        undelivered, self._undelivered = self._undelivered, []
        for lease in undelivered:
            self._see(AssignmentUndelivered(lease))
        if self._unstored and time.monotonic() >= self._unstored_at:
            unstored, self._unstored = self._unstored, []
            for stimulus in unstored:
                self._see(stimulus)
        take_s = min(LONG_TAKE_S, max(SHORT_TAKE_S, 3 * self._commit_s))
        for router in (self._control, self._workers):
            router.send_waiting()
            for identity, envelope in router.receive(time.monotonic() + take_s):
                self._receive(router, identity, envelope)
        self._note_refusals()
        self._hub.forward(time.monotonic() + SHORT_TAKE_S)

    def _note_refusals(self) -> None:
        """Write down what people wanted to change without a right to; of other refusals the log tells."""
        refusals = self._control.refusals
        while refusals:
            one = refusals.popleft()
            if audit.is_audited(one.type):
                self._session.note_refused(audit.who(None, one.user, one.source), one.type, one.why)

    def _note_access_changes(self) -> None:
        """Write down what commands have changed of keys and tokens."""
        store = self._session.store
        for change in self._access_changes.found(lambda one: store.has_audit_entry(one.at, one.action)):
            self._session.note_access(change)

    def _known_files(self) -> tuple[list[KnownFile], bool]:
        return known_files(self._session.state), bool(len(self._session.state.queue))

    def _look_at_storage(self) -> None:
        for look in self._storage.looks():
            self._handle(look)
            self._storage.tell(self._session.state.storage.holds)
        if is_unsure(self._session.state):
            self._storage.hurry(StoragePlace.DATA)
        if self._session.state.storage.references is None:
            self._storage.hurry_references()

    def _keep_time(self) -> None:
        """Let time pass, after all messages were taken in: so no worker seems silent after a long round."""
        now = time.monotonic()
        for sender, progress in self._progress.due(now):
            self._handle(FromWorker(sender, progress))
        if now >= self._tick_at:
            self._tick_at = now + TICK_S
            self._handle(Tick())
        if now >= self._beat_at:
            self._beat_at = now + HEARTBEAT_S
            self._progress.forget(now)
            self._publish_service("service.heartbeat")

    def _receive(self, router: Router, identity: bytes, envelope: Envelope) -> None:
        asked, kind = Asked(router, identity, envelope), REGISTRY.get(envelope.type)
        if (kind is None or kind.ANSWERS) and self._has_come_before(asked):
            return
        try:
            message = read_message(envelope.type, envelope.body)
        except WireError as error:
            router.note_malformed(error)
            code = ErrorCode.BAD_MESSAGE if kind is not None else ErrorCode.UNKNOWN_TYPE
            self._round.ask(asked, wire.Error(code, str(error)[:1000]))
            return
        handler = HANDLERS.get(type(message))
        asked.changes = handler is None or not handler.reads
        if router is self._workers:
            self._hear_worker(asked, message)
        else:
            self._ask(asked, message, handler)

    def _has_come_before(self, asked: Asked) -> bool:
        """Whether a request was answered, which it is again, or will be."""
        key = asked.key
        return self._answers.repeat(asked) or key in self._round.asked_before or self._preparing.knows(key)

    def _hear_worker(self, asked: Asked, message: Message) -> None:
        """Hand on what a worker says. Of its progress only as much as anybody can read."""
        sender, now = asked.identity, time.monotonic()
        if isinstance(message, wire.TaskProgress):
            if self._progress.note(sender, message, now):
                self._handle(FromWorker(sender, message), asked)
            return
        if isinstance(message, wire.TaskFinished):
            self._progress.ended(sender, message.lease)  # how far it was before tells nobody anything any more
        for progress in self._progress.taken(sender, now):
            self._handle(FromWorker(sender, progress))
        self._handle(FromWorker(sender, message), asked)
        if isinstance(message, wire.TaskFailed):
            self._progress.ended(sender, message.lease)

    def _ask(self, asked: Asked, message: Message, handler: Handler | None) -> None:
        """Give a request to the machine, or to the shell where it needs files, the store or the sockets."""
        asked.asking = audit.asking(message, asked.user, asked.envelope.source)
        message = signed(message, asked.user or asked.envelope.source)
        if handler is not None and handler.place is Place.STORED:
            self._round.ask(asked, lambda: handler.run(self._shell(), message))
        elif handler is not None and handler.place is Place.PREPARED:
            try:
                self._preparing.ask(asked.key, asked, lambda: handler.run(self._shell(), message))
            except PrepareError as error:
                self._round.ask(asked, at_fault(str(error)))
        else:
            self._handle(FromControl(message), asked)

    def _take_prepared(self) -> None:
        for asked, found in self._preparing.done(time.monotonic()):
            if isinstance(found, SettingsError):
                self._round.ask(asked, refused_settings(found))
            elif isinstance(found, Exception):
                what = asked.envelope.type
                log.error("%s could not be handled: %s", what, found, exc_info=not isinstance(found, PrepareError))
                self._round.ask(asked, at_fault(f"{what} could not be handled: {found}"))
            else:
                self._handle(found, asked)

    def _shell(self) -> Shell:
        malformed = {router.name: router.malformed for router in (self._workers, self._control)}
        uptime_s = time.monotonic() - self._began
        return Shell(self._session, uptime_s, {**malformed, "events": self._hub.malformed})

    # --- deciding ------------------------------------------------------------------------------------------------

    def _see(self, stimulus: Stimulus) -> None:
        """Handle what this process has seen itself, and again later if it cannot be stored."""
        self._round.seen.append(stimulus)
        self._handle(stimulus)

    def _handle(self, stimulus: Stimulus, asked: Asked | None = None) -> None:
        try:
            effects = self._session.decide(stimulus, asked.asking if asked is not None else None)
        except Exception as error:
            what = asked.envelope.type if asked is not None else type(stimulus).__name__
            log.exception("%s could not be handled; the state is restored from %s", what, self._session.store.path)
            if asked is not None:
                self._round.ask(asked, at_fault(f"{what} could not be handled: {error}"))
            self._recover()
            return
        self._note(effects, asked)

    def _note(self, effects: list[Effect], asked: Asked | None = None) -> None:
        """What of these effects is to be done after the commit."""
        for effect in effects:
            if isinstance(effect, Reply):
                if asked is not None:
                    self._round.ask(asked, effect.message)
            elif type(effect) in OUTWARD:
                self._round.out.append(effect)  # type: ignore[arg-type]

    def _recover(self) -> None:
        """Take back what a failed decision has left behind. Earlier decisions of this round stay."""
        self._flush()
        self._restore()

    def _restore(self) -> None:
        """Go on from what is stored. Raises StateError where that cannot be read."""
        self._session.store.discard()
        self._session.state = go_on(self._session.restored(), self._session.state)
        for unended in unended_on_disk(self._session.state):
            self._placer.begin(unended)

    def _cannot_read(self, error: StateError) -> None:
        """Decide nothing until the stored state can be read: what is in memory may hold more than that."""
        if self._unread is None:
            log.error("%s; nothing is decided until it can be read", error)
        self._unread, self._read_at = error, time.monotonic() + STORE_AGAIN_S
        done, self._round = self._round, Round()
        self._unstored += done.seen
        for asked in done.asked:
            self._answers.refuse(asked, error)

    def _read_again(self) -> bool:
        """Whether the stored state could be read at last. Tried each second."""
        if time.monotonic() < self._read_at:
            return False
        try:
            self._session.store.reopen()
            self._restore()
        except StateError as error:
            self._cannot_read(error)
            return False
        self._unread = None
        for worker in self._session.state.workers.values():
            worker.heard_at = self._session.state.now  # nobody could be heard meanwhile
        log.warning("%s can be read again; the scheduler goes on", self._session.store.path)
        return True

    def _refuse_all(self, error: StateError) -> None:
        """Answer each request with the reason why none is carried out now; what wants no answer is passed over."""
        for router in (self._control, self._workers):
            router.send_waiting()
            for identity, envelope in router.receive(time.monotonic() + SHORT_TAKE_S):
                asked, kind = Asked(router, identity, envelope), REGISTRY.get(envelope.type)
                if not self._answers.repeat(asked) and (kind is None or kind.ANSWERS):
                    self._answers.refuse(asked, error)
        self._hub.forward(time.monotonic() + SHORT_TAKE_S)

    # --- out -----------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        """Store the round, then send its answers and events. If it cannot be stored, nothing of it happened."""
        done, self._round = self._round, Round()
        began = time.monotonic()
        try:
            self._session.commit(time.time())
            self._commit_s = time.monotonic() - began
        except StateError as error:
            log.error("%s; nothing of this round counts", error)
            self._unstored += done.seen
            self._unstored_at = time.monotonic() + STORE_AGAIN_S
            readers: list[Asked] = []
            for asked in done.asked:
                if asked.changes or done.again:
                    self._answers.refuse(asked, error)
                else:
                    readers.append(asked)
            self._restore()
            if readers:
                self._ask_again(readers)
            if isinstance(error, DamageError):
                self._handle(StateFault(f"{error}; end the session for that"))
            return
        for asked in done.asked:
            self._answers.send(asked)
        for effect in done.out:
            match effect:
                case Publish(topic, body, seq):
                    self._hub.publish(Envelope(topic, body, SOURCE, seq=seq))
                case Send(sender, message, lease):
                    sent = self._workers.send(sender, Envelope(message.TYPE, message.to_body(), SOURCE))
                    if not sent and lease is not None:
                        self._undelivered.append(lease)
                case DropTry():
                    self._tries.remove(effect.id)
                case _:
                    self._placer.begin(effect)

    def _ask_again(self, readers: list[Asked]) -> None:
        """Answer those who only want to know from what is stored: they change nothing that could not be."""
        self._round.again = True
        for asked in readers:
            self._receive(asked.router, asked.identity, asked.envelope)
        self._flush()

    def _publish_service(self, topic: str) -> None:
        body = wire.ServiceEvent(
            SOURCE, socket.gethostname(), os.getpid(), head=self._session.store.head, epoch=self._session.store.epoch
        )
        self._hub.publish(Envelope(topic, body.to_body(), SOURCE))


__all__ = ["RecordError", "Service", "SessionError", "StateError", "run_scheduler"]
