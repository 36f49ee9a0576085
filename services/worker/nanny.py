"""The nanny's decisions, without sockets, clocks or processes: stimuli in, effects out.

The nanny answers for its compute processes: one, or a few that share a GPU. It registers, sends heartbeats whatever the
computation does, passes tasks in and reports out, and reports at once when a compute process has died.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from warpcore.bus import messages as m
from warpcore.bus.envelope import new_id
from warpcore.bus.requester import Jitter, Patience, Requester, Step
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ErrorCode, FailureKind
from warpcore.services.worker.computing import Processes
from warpcore.services.worker.effects import Effect, End, GiveUp, KillCompute, LookAt, LookFor, ToCompute, ToScheduler
from warpcore.services.worker.held import Held, culprit_of, in_compute, state_of
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.leaving import Leaving
from warpcore.services.worker.line import (
    Begin,
    Cancel,
    Dropped,
    Failed,
    Faulty,
    Finished,
    Noticed,
    Progress,
    Ready,
    Report,
    Stage,
    Unusable,
)

PATIENCE = Patience(timeout_s=3.0)
"""An unanswered request is sent again, under its id, until it is answered."""
REFUSED_PAUSE_S = 3.0
"""A request that was answered with an error is asked again, as a new one, after this long."""
LAST_PAUSE_S = 0.3
"""The same for a worker that stops, which waits for its last answers for a moment only."""
QUIET_S = 30.0
"""An idle worker that has heard nothing for so long registers again: the scheduler may take it for another one."""
PROGRESS_EVERY_S = 0.5
NOBODY = 0
"""The culprit of a death that no movie of this scheduler has caused."""
CANCEL_GRACE_S = 10.0
"""A compute process that has not let go of a cancelled task by then is ended."""


@dataclass
class Nanny:
    """State of one nanny. Every method returns the effects that the shell carries out in order."""

    identity: Identity
    jitter: Jitter = random.random
    processes: int = 1
    rest_after_s: float | None = None
    """Without a task for so long the compute processes are ended, so that others have their memory; None: never."""
    leaving: Leaving = field(default_factory=Leaving)
    heartbeat_s: float = 2.0
    registered: bool = False
    stopping: bool = False
    device: Ready | None = None
    """What the compute process that was ready last has told of its device."""
    aside: str = ""
    """What is wrong with the device, once it was found to compute wrongly; then no compute process is started."""
    held: dict[int, Held] = field(default_factory=dict)
    share: int | None = None
    """How many tasks this scheduler may give in all, where the worker serves others too; None: as many as fit."""
    _busy_elsewhere: bool = False
    _beside: Sequence[int] = ()
    """By compute process, how many tasks of other schedulers are in it."""
    _last_beat: float = float("-inf")
    _heard_at: float = 0.0
    _register_at: float | None = None
    _replaces: str = ""
    _pulled: int | None = None

    def __post_init__(self) -> None:
        self._requester = Requester(self.jitter)
        self._computing = Processes(self.processes, self.rest_after_s)

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """The first effects: the compute processes; registration waits until one has told its device."""
        return [*self._computing.start(now)]

    def stop(self, now: float) -> list[Effect]:
        """An orderly end: say goodbye, so that tasks go back without counting as failures, and end the computation."""
        self.stopping = True
        effects: list[Effect] = []
        if self.registered:
            effects += self._ask(m.Goodbye(worker=self.identity.name), now)
        return [*effects, *self._computing.end("the worker stops")]

    @property
    def waits_for_answers(self) -> bool:
        """Whether requests are still unanswered."""
        return bool(self._requester.questions)

    @property
    def at_once(self) -> int:
        """How many tasks fit into the compute processes."""
        return self._computing.at_once

    @property
    def told_credit(self) -> int:
        """How many tasks the scheduler was told that it may give in all."""
        return self._pulled or 0

    @property
    def is_answered(self) -> bool:
        """Whether the scheduler knows this worker, and has answered all that was asked a while ago."""
        return self.registered and all(question.attempts < 2 for question in self._requester.questions)

    def offer(self, share: int) -> list[Effect]:
        """The scheduler may give so many tasks in all."""
        self.share = share
        return self._pull()

    def hear_of_others(self, busy: bool, tasks: Sequence[int]) -> None:
        """Whether the worker has tasks of other schedulers, and how many are in each compute process."""
        if busy != self._busy_elsewhere and not self.held:
            self._last_beat = float("-inf")  # the next tick tells, so that an idle worker is given the next movie
        self._busy_elsewhere, self._beside = busy, tasks

    def kills_for_a_task(self, process: int) -> bool:
        """Whether this compute process is being ended since a task in it did not stop."""
        cause = self._computing[process].kill_cause
        return cause is not None and cause[2] is not None

    def tick(self, now: float, load: m.Load, warnings: Sequence[str] = ()) -> list[Effect]:
        """Time has passed: beat, send again what was not answered, start or end compute processes where due.

        `warnings` are those of the machine; they stand behind those of the compute processes.
        """
        effects: list[Effect] = [] if self.stopping else [*self._computing.start_due(now)]
        effects += self._computing.end_hanging(now)
        for lease, held in self.held.items():
            one = self._computing[held.process]
            if held.cancelled_at is not None and now - held.cancelled_at > CANCEL_GRACE_S and one.kill_cause is None:
                cause = f"{held.task.name} did not stop after it was cancelled"
                one.kill_cause = (FailureKind.LOST_WORKER, cause, lease)
                effects.append(KillCompute(cause, one.number))
        for held in self.held.values():
            effects += self._tell_progress(held, now)
        effects += [ToScheduler(question.message, question.id) for question in self._requester.due(now)]
        effects += self._computing.rest(now, busy=bool(self._is_busy or self.stopping or self.aside))
        effects += self._look_whether_to_leave(now)
        if self._is_to_register(now):
            effects += self._register(now)
        if self.registered and now - self._last_beat >= self.heartbeat_s:
            self._last_beat = now
            effects.append(self._one_way(self._heartbeat(load, warnings)))
        return effects

    def _look_whether_to_leave(self, now: float) -> list[Effect]:
        """Take no more movies where it is time to leave, and end once none is in hand."""
        if self.stopping:
            return []
        self.leaving.look(now, self.registered, busy=self._is_busy)
        if not self.leaving.why:
            return []
        ending: list[Effect] = [] if self.held else [End(self.leaving.why)]
        return [*self._pull(), *ending]

    @property
    def _is_busy(self) -> bool:
        return bool(self.held) or self._busy_elsewhere

    def _is_to_register(self, now: float) -> bool:
        if self._register_at is not None:
            return now >= self._register_at
        return self.registered and not self.held and now - self._heard_at > QUIET_S

    def rests(self, process: int) -> bool:
        """Whether this compute process was ended to give its memory back."""
        return self._computing[process].at_rest is not None

    # --- from the scheduler --------------------------------------------------------------------------------------

    def from_scheduler(self, message: Message, reply_to: str | None, now: float) -> list[Effect]:
        """A message from the scheduler."""
        self._heard_at = now
        if reply_to is not None:
            question = self._requester.answered(reply_to)
            return self._unasked(message, now) if question is None else self._answered(question.message, message, now)
        match message:
            case m.AssignTask():
                return self._assigned(message, now)
            case m.CancelTask():
                return self._cancel(message.lease, now)
            case m.LookAtFolders():
                return [LookAt(message)]
            case m.DrainWorker():
                self.leaving.drain(message.reason)
                return self._look_whether_to_leave(now)
            case m.UnknownWorker():
                self.registered = False
                return self._register(now)
        return []

    def _answered(self, request: Message, answer: Message, now: float) -> list[Effect]:
        if not isinstance(answer, request.ANSWERS):
            return self._refused(request, now)
        match request, answer:
            case m.RegisterWorker(), m.WorkerRegistered():
                return self._registered(answer, now)
            case m.RegisterWorker(), m.WaitForName():
                self.registered, self._register_at = False, now + REFUSED_PAUSE_S
                return [*self._cancel_all_but([], now), LookFor(answer.instance)]
            case ((m.TaskFinished() | m.TaskFailed()), _):
                self.held.pop(request.lease, None)
        return []

    def _unasked(self, message: Message, now: float) -> list[Effect]:
        """An answer to no open request. A refusal of what wants none, such as a beat: the key counts no more.

        The worker asks to be registered until it does again.
        """
        if not (self.registered and isinstance(message, m.Error) and message.code == ErrorCode.FORBIDDEN):
            return []
        self.registered = False
        return self._register(now)

    def _refused(self, request: Message, now: float) -> list[Effect]:
        """Ask again later, under a new id: the scheduler answers a repeated id with its first answer."""
        if isinstance(request, m.RegisterWorker):
            self._register_at = now + REFUSED_PAUSE_S
        else:
            self._requester.ask(request, PATIENCE, now + (LAST_PAUSE_S if self.stopping else REFUSED_PAUSE_S))
        return []

    def instance_ended(self, instance: str, now: float) -> list[Effect]:
        """The process of an instance that has our name has ended: the name is free, whatever the scheduler believes."""
        if self.registered or self._replaces == instance:
            return []
        self._replaces = instance
        return self._register(now)

    def _registered(self, answer: m.WorkerRegistered, now: float) -> list[Effect]:
        self.registered = True
        self.heartbeat_s = answer.heartbeat_s
        self._pulled = None
        effects = self._cancel_all_but(answer.leases, now)
        if self.aside:
            effects += self._tell_aside(now)
        return effects + self._pull()

    def _assigned(self, task: m.AssignTask, now: float) -> list[Effect]:
        if self.stopping or self.leaving.why or task.lease in self.held:
            return []
        self.held[task.lease] = Held(task, now)
        return self._hand_over(now)

    def _hand_over(self, now: float) -> list[Effect]:
        """Pass in what waits; a task that came while no compute process was there waits for the next one."""
        effects = self._wake(now)
        for held in self._waiting():
            process = self._computing.taker(self.held, self._beside)
            if process is not None:
                held.stage, held.process = Stage.SENT, process.number
                effects.append(ToCompute(Begin(held.task), process.number))
        return effects

    def _waiting(self) -> list[Held]:
        return [held for held in self.held.values() if held.stage is Stage.WAITING]

    def _wake(self, now: float) -> list[Effect]:
        return [*self._computing.wake(now)] if self._waiting() else []

    def _cancel_all_but(self, valid: Sequence[int], now: float) -> list[Effect]:
        invalid = [lease for lease in self.held if lease not in valid]
        return [effect for lease in invalid for effect in self._cancel(lease, now)]

    def _cancel(self, lease: int, now: float) -> list[Effect]:
        held = self.held.get(lease)
        if held is None or held.cancelled_at is not None:
            return []
        if held.stage in (Stage.WAITING, Stage.REPORTED):  # the compute process does not have it
            self._let_go(lease)
            return []
        held.cancelled_at = now
        return [ToCompute(Cancel(lease), held.process)]

    # --- from the compute processes ------------------------------------------------------------------------------

    def from_compute(self, report: Report, now: float, process: int = 0) -> list[Effect]:
        """A report of a compute process; one on a task that is no longer held is ignored."""
        computing = self._computing[process]
        if isinstance(report, Ready):
            computing.came_up(report)
            self.device, self._pulled = report, None
            return [*self._hand_over(now), *(self._pull() if self.registered else self._register(now))]
        if isinstance(report, Noticed):
            if report.warnings != computing.noticed.warnings:
                self._last_beat = float("-inf")  # the next tick tells
            computing.noticed = report
            return []
        if isinstance(report, Faulty):
            return self._set_aside(report, now)
        if isinstance(report, Unusable):
            self.stopping = True
            return [GiveUp(report.cause)]
        held = self.held.get(report.lease)
        return self._reported(report, held, now) if held is not None else []

    def _set_aside(self, report: Faulty, now: float) -> list[Effect]:
        """The device is bad: what is not finished goes back, and the scheduler hears why, now or once it knows us."""
        self.device, self.aside = report.device, report.cause
        self._computing.give_up()
        for lease in [lease for lease, held in self.held.items() if held.stage is not Stage.REPORTED]:
            self._let_go(lease)
        told = [*self._tell_aside(now), *self._pull()] if self.registered else self._register(now)
        return [*told, *self._computing.end("its device is faulty")]

    def _tell_aside(self, now: float) -> list[Effect]:
        """No lease is named: no movie has cost the worker anything, and the scheduler takes all of them back."""
        name = self.identity.name
        return self._ask(
            m.ComputeDied(worker=name, leases=[], culprit=None, kind=FailureKind.BAD_GPU, cause=self.aside), now
        )

    def _reported(self, report: Progress | Finished | Failed | Dropped, held: Held, now: float) -> list[Effect]:
        name, lease = self.identity.name, report.lease
        match report:
            case Progress():
                held.stage, held.untold = report.stage, report
                return self._tell_progress(held, now)
            case Dropped():
                self._let_go(lease)
                return []
            case Finished():
                self.leaving.done(now - held.taken_at)
                done: Message = m.TaskFinished(name, lease, report.ran, report.results, report.outputs, report.seconds)
            case Failed():
                done = m.TaskFailed(name, lease, report.kind, report.step, report.message)
        self._computing[held.process].deaths = 0
        held.stage, held.cancelled_at, held.untold = Stage.REPORTED, None, None
        return self._ask(done, now)

    def _tell_progress(self, held: Held, now: float) -> list[Effect]:
        """Tell what is new of a task: words at once, else as often as anybody can read, the newest then."""
        new = held.untold
        if new is None or not self.registered or (now - held.told_at < PROGRESS_EVERY_S and not new.message):
            return []
        held.told_at, held.untold = now, None
        name, movie = self.identity.name, held.task.name
        return [self._one_way(m.TaskProgress(name, new.lease, movie, new.step, new.fraction, new.message))]

    def unsendable(self, effect: ToScheduler, why: str, now: float) -> list[Effect]:
        """A message cannot travel (it is over the size limit). Results that cannot be told count as a failed task."""
        self._requester.forget(effect.id)
        match effect.message:
            case m.TaskFinished(lease=lease):
                failed = m.TaskFailed(self.identity.name, lease, FailureKind.INTERNAL, "write", why)
                return self._ask(failed, now)
        return []

    def _let_go(self, lease: int) -> None:
        """A task is no longer ours: nothing more is asked about it."""
        del self.held[lease]
        for question in self._requester.questions:
            request = question.message
            if isinstance(request, (m.TaskFinished, m.TaskFailed)) and request.lease == lease:
                self._requester.forget(question.id)

    def compute_exited(
        self, kind: FailureKind, cause: str, now: float, process: int = 0, *, innocent: bool = False
    ) -> list[Effect]:
        """A compute process is gone: its tasks are lost, the scheduler hears the cause, a new one is started.

        None of them is to blame where they are `innocent`.
        """
        computing = self._computing[process]
        computing.gone()
        if self.stopping or self.aside:
            return []
        if computing.at_rest is not None:
            return self._wake(now)
        lost = in_compute(self.held, process)
        culprit = culprit_of(self.held, lost)
        if computing.kill_cause is not None:
            (kind, cause, stuck), computing.kill_cause = computing.kill_cause, None
            culprit = stuck if stuck is not None and stuck in lost else culprit
        culprit = NOBODY if innocent else culprit
        for lease in lost:
            self._let_go(lease)
        computing.died(now)
        if not self.registered:
            return []
        died = m.ComputeDied(worker=self.identity.name, leases=lost, culprit=culprit, kind=kind, cause=cause)
        return [*self._ask(died, now), *self._pull()]

    # --- messages ------------------------------------------------------------------------------------------------

    def _register(self, now: float) -> list[Effect]:
        self._register_at = None
        asked = any(isinstance(question.message, m.RegisterWorker) for question in self._requester.questions)
        if asked or self.device is None or self.stopping:
            return []
        return self._ask(self.identity.registration(self.device, self.processes, self.held, self._replaces), now)

    def _pull(self) -> list[Effect]:
        """Tell the scheduler how many tasks fit in all, where that has changed."""
        if not self.registered or self._credit == self._pulled:
            return []
        self._pulled = self._credit
        return [self._one_way(m.PullTasks(worker=self.identity.name, credit=self._credit))]

    @property
    def _credit(self) -> int:
        if self.stopping or self.leaving.why:
            return 0
        return self._computing.at_once if self.share is None else min(self.share, self._computing.at_once)

    def _heartbeat(self, load: m.Load, warnings: Sequence[str]) -> m.Heartbeat:
        return m.Heartbeat(
            worker=self.identity.name,
            state=state_of(self._is_busy, self._computing.at_once > 0, bool(self.aside)),
            leases=sorted(self.held),
            load=self._computing.measured(load),
            warnings=list(dict.fromkeys([*self._computing.warnings, *warnings])),
            credit=self._credit,
        )

    def _ask(self, message: Message, now: float) -> list[Effect]:
        """Send a request, and again until it is answered."""
        question = self._requester.ask(message, PATIENCE, now)
        return [ToScheduler(message, question.id)] if question.step(now) is Step.SEND else []

    def _one_way(self, message: Message) -> ToScheduler:
        return ToScheduler(message, new_id())
