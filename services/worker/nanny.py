"""The nanny's decisions, without sockets, clocks or processes: stimuli in, effects out.

The nanny answers for its compute process: it registers, keeps the heart beating whatever the computation does, passes tasks
in and reports out, asks before outputs are committed, and says at once when the compute process has died.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from warpcore.bus import messages as m
from warpcore.bus.envelope import new_id
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import FailureKind, WorkerState

CREDIT = 2
"""Tasks held at a time: one computing, one loading or being written."""
RESEND_S = 3.0
"""An unanswered request goes out again, under its id, after this long."""
CANCEL_GRACE_S = 10.0
"""A compute process that has not let go of a cancelled task by then is ended."""
RESTART_PAUSE_S = (0.0, 1.0, 5.0, 15.0, 60.0)
"""Pauses before the compute process is started again, by its number of deaths without a finished task between them."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the nanny tells of itself when it registers."""

    name: str
    instance: str
    host: str
    pid: int


@dataclass(frozen=True, slots=True)
class ToScheduler:
    """Send this message; `id` is set for requests, which are matched with their answer and sent again until it comes."""

    message: Message
    id: str


@dataclass(frozen=True, slots=True)
class ToCompute:
    """Send this map down the line."""

    item: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StartCompute:
    """Start a compute process."""


@dataclass(frozen=True, slots=True)
class KillCompute:
    """End the compute process; its exit comes back as `compute_exited`."""

    why: str


Effect = ToScheduler | ToCompute | StartCompute | KillCompute


@dataclass
class _Request:
    message: Message
    sent_at: float
    lease: int | None = None


@dataclass
class _Held:
    task: m.AssignTask
    stage: str = "waiting"
    cancelled_at: float | None = None


@dataclass
class Nanny:
    """State of one nanny. Every method returns the effects that the shell carries out in order."""

    identity: Identity
    heartbeat_s: float = 2.0
    registered: bool = False
    compute_ready: bool = False
    stopping: bool = False
    device: str = "starting"
    device_memory_mb: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    held: dict[int, _Held] = field(default_factory=dict)
    deaths: int = 0
    warnings: list[str] = field(default_factory=list)
    _requests: dict[str, _Request] = field(default_factory=dict)
    _last_beat: float = float("-inf")
    _restart_at: float | None = None
    _pulled: int | None = None
    _kill_cause: tuple[str, str] | None = None

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self, now: float) -> list[Effect]:
        """The first effects: a compute process; registration waits until it has told its device."""
        return [StartCompute()]

    def stop(self, now: float) -> list[Effect]:
        """An orderly end: say goodbye (so that tasks go back without counting as failures) and end the computation."""
        self.stopping = True
        effects: list[Effect] = []
        if self.registered:
            effects += self._request(m.Goodbye(worker=self.identity.name), now)
        return [*effects, KillCompute("the worker stops")]

    @property
    def waits_for_answers(self) -> bool:
        """Whether requests are still unanswered."""
        return bool(self._requests)

    def tick(self, now: float, load: dict[str, Any]) -> list[Effect]:
        """Time has passed: beat, send again what was not answered, start or end the compute process where due."""
        effects: list[Effect] = []
        if self._restart_at is not None and now >= self._restart_at and not self.stopping:
            self._restart_at = None
            effects.append(StartCompute())
        for held in self.held.values():
            if held.cancelled_at is not None and now - held.cancelled_at > CANCEL_GRACE_S and self._kill_cause is None:
                self._kill_cause = ("lost_worker", f"{held.task.name} did not stop after it was cancelled")
                effects.append(KillCompute(self._kill_cause[1]))
        for request_id, request in self._requests.items():
            if now - request.sent_at >= RESEND_S:
                request.sent_at = now
                effects.append(ToScheduler(request.message, request_id))
        if self.registered and now - self._last_beat >= self.heartbeat_s:
            self._last_beat = now
            effects.append(self._one_way(self._heartbeat(load)))
        return effects

    # --- from the scheduler --------------------------------------------------------------------------------------

    def from_scheduler(self, message: Message, reply_to: str | None, now: float) -> list[Effect]:
        """A message from the scheduler; answers to requests that are no longer open are ignored."""
        if reply_to is not None:
            request = self._requests.pop(reply_to, None)
            if request is None:
                return []
            return self._answered(request, message, now)
        if isinstance(message, m.AssignTask):
            return self._assigned(message)
        if isinstance(message, m.CancelTask):
            return self._cancel(message.lease, now)
        if isinstance(message, m.UnknownWorker):
            self.registered = False
            return self._register(now)
        return []

    def _answered(self, request: _Request, answer: Message, now: float) -> list[Effect]:
        if isinstance(answer, m.WorkerRegistered):
            self.registered = True
            self.heartbeat_s = answer.heartbeat_s
            self._pulled = None
            effects: list[Effect] = []
            for lease in [lease for lease in self.held if lease not in answer.leases]:
                effects += self._cancel(lease, now)
            return effects + self._pull()
        if isinstance(answer, m.CommitAnswer):
            if answer.lease not in self.held:
                return []
            if answer.granted:
                self.held[answer.lease].stage = "committed"
            else:
                del self.held[answer.lease]
            return [ToCompute({"do": "commit", "lease": answer.lease, "granted": answer.granted})]
        if isinstance(request.message, (m.TaskFinished, m.TaskFailed)) and request.lease is not None:
            self.held.pop(request.lease, None)
        return []

    def _assigned(self, task: m.AssignTask) -> list[Effect]:
        if self.stopping:
            return []
        self.held[task.lease] = _Held(task)
        return self._hand_over()

    def _hand_over(self) -> list[Effect]:
        """Pass in what waits; a task that came while the compute process was away waits for the next one."""
        if not self.compute_ready:
            return []
        waiting = [held for held in self.held.values() if held.stage == "waiting"]
        for held in waiting:
            held.stage = "sent"
        return [ToCompute({"do": "task", "task": held.task.to_body()}) for held in waiting]

    def _cancel(self, lease: int, now: float) -> list[Effect]:
        held = self.held.get(lease)
        if held is None or held.cancelled_at is not None:
            return []
        if held.stage == "waiting":
            del self.held[lease]
            return []
        held.cancelled_at = now
        return [ToCompute({"do": "cancel", "lease": lease})]

    # --- from the compute process --------------------------------------------------------------------------------

    def from_compute(self, item: dict[str, Any], now: float) -> list[Effect]:
        """A report of the compute process."""
        kind, lease = item["is"], item.get("lease")
        if kind == "ready":
            self.compute_ready = True
            self.device, self.device_memory_mb = item["device"], item["device_memory_mb"]
            self.versions = item["versions"]
            self._pulled = None
            return [*self._hand_over(), *(self._pull() if self.registered else self._register(now))]
        if kind == "warnings":
            self.warnings = item["warnings"]
            self._last_beat = float("-inf")  # the next tick tells
            return []
        held = self.held.get(lease) if lease is not None else None
        if held is None or lease is None:
            return []
        if kind == "progress":
            held.stage = item["stage"]
            report = m.TaskProgress(
                worker=self.identity.name,
                lease=lease,
                movie=held.task.name,
                step=item["step"],
                fraction=item["fraction"],
                message=item["message"],
            )
            return [self._one_way(report)] if self.registered else []
        if kind == "staged":
            held.stage = "staged"
            return self._request(m.CommitTask(worker=self.identity.name, lease=lease), now, lease)
        if kind == "finished":
            self.deaths = 0
            done = m.TaskFinished(
                worker=self.identity.name,
                lease=lease,
                ran=item["ran"],
                results=item["results"],
                outputs=item["outputs"],
                seconds=item["seconds"],
                kept=item["kept"],
            )
            return self._request(done, now, lease)
        if kind == "failed":
            self.deaths = 0
            failed = m.TaskFailed(
                worker=self.identity.name, lease=lease, kind=item["kind"], step=item["step"], message=item["message"]
            )
            return self._request(failed, now, lease)
        if kind == "dropped":
            del self.held[lease]
        return []

    def compute_exited(self, kind: str, cause: str, now: float) -> list[Effect]:
        """The compute process is gone: its tasks are lost with it, the scheduler hears the cause, a new one is started."""
        self.compute_ready = False
        self.warnings = []
        if self.stopping:
            return []
        if self._kill_cause is not None:
            kind, cause = self._kill_cause
            self._kill_cause = None
        lost = [lease for lease, held in self.held.items() if held.stage != "waiting" and not self._reported(lease)]
        culprit = self._culprit(lost)
        for lease in lost:
            del self.held[lease]
        self._requests = {
            request_id: request
            for request_id, request in self._requests.items()
            if not (isinstance(request.message, m.CommitTask) and request.lease in lost)
        }
        self._restart_at = now + RESTART_PAUSE_S[min(self.deaths, len(RESTART_PAUSE_S) - 1)]
        self.deaths += 1
        if not self.registered:
            return []
        died = m.ComputeDied(
            worker=self.identity.name, leases=lost, culprit=culprit, kind=FailureKind(kind), cause=cause
        )
        return [*self._request(died, now), *self._pull()]

    def _reported(self, lease: int) -> bool:
        """Whether the end of this task is already on its way to the scheduler."""
        return any(
            request.lease == lease and isinstance(request.message, (m.TaskFinished, m.TaskFailed))
            for request in self._requests.values()
        )

    def _culprit(self, lost: list[int]) -> int | None:
        """The task that was being computed; where none was, the only one there was."""
        computing = [lease for lease in lost if self.held[lease].stage == "compute"]
        if computing:
            return computing[0]
        return lost[0] if len(lost) == 1 else None

    # --- messages ------------------------------------------------------------------------------------------------

    def _register(self, now: float) -> list[Effect]:
        if any(isinstance(request.message, m.RegisterWorker) for request in self._requests.values()):
            return []
        if not self.versions:
            return []
        return self._request(
            m.RegisterWorker(
                name=self.identity.name,
                instance=self.identity.instance,
                host=self.identity.host,
                pid=self.identity.pid,
                device=self.device,
                device_memory_mb=self.device_memory_mb,
                versions=self.versions,
                leases=sorted(self.held),
            ),
            now,
        )

    def _pull(self) -> list[Effect]:
        """Tell the scheduler how many tasks fit in all, where that has changed."""
        if not self.registered:
            return []
        credit = CREDIT if self.compute_ready and not self.stopping else 0
        if credit == self._pulled:
            return []
        self._pulled = credit
        return [self._one_way(m.PullTasks(worker=self.identity.name, credit=credit))]

    def _heartbeat(self, load: dict[str, Any]) -> m.Heartbeat:
        state = "starting" if not self.compute_ready else "busy" if self.held else "idle"
        return m.Heartbeat(
            worker=self.identity.name,
            state=WorkerState(state),
            leases=sorted(self.held),
            load=m.Load.from_body(load),
            warnings=self.warnings,
        )

    def _request(self, message: Message, now: float, lease: int | None = None) -> list[Effect]:
        request_id = new_id()
        self._requests[request_id] = _Request(message, now, lease)
        return [ToScheduler(message, request_id)]

    def _one_way(self, message: Message) -> ToScheduler:
        return ToScheduler(message, new_id())
