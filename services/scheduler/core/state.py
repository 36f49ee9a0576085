"""The scheduler's state and its primitive changes, each of which keeps counts, queues, rows and events in step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from warpcore.bus.messages import Acquisition, Alarm, Header, MovieEvent
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import DONE, ENDED, WAITING, MovieStatus, Order, Pauser, Selection, WorkerState
from warpcore.services.scheduler.core import ordering, rows, views
from warpcore.services.scheduler.core.effects import (
    CutLog,
    DropStaging,
    DropTask,
    Effect,
    Publish,
    Reply,
    SaveMovie,
    SaveTask,
    Send,
)
from warpcore.services.scheduler.core.export_records import ExportRecord
from warpcore.services.scheduler.core.holds import Storage
from warpcore.services.scheduler.core.lessons import Lessons
from warpcore.services.scheduler.core.lives import IllegalTransition, LeaseState
from warpcore.services.scheduler.core.queue import OrderedQueue, Parked
from warpcore.services.scheduler.core.rates import Arrivals, Rate
from warpcore.services.scheduler.core.recent import Recent
from warpcore.services.scheduler.core.records import (
    DERIVED,
    Ban,
    ChoiceRecord,
    HandPicksRecord,
    MovieRecord,
    PoolRecord,
    ProfileRecord,
    SelectionRecord,
    TaskRecord,
    WorkerRecord,
)
from warpcore.services.scheduler.core.runs import LastHour, LatestRuns
from warpcore.services.scheduler.core.try_records import TryRecord
from warpcore.services.session.allowed import Readable
from warpcore.services.session.facts import Facts
from warpcore.services.session.filtering import Filter
from warpcore.services.session.fingerprints import needed_steps
from warpcore.services.session.fingerprints_v1 import FormerPlan
from warpcore.services.session.learning import SessionPlan
from warpcore.services.session.optics_groups import OpticsGroups
from warpcore.services.session.settings import Settings

BULK_CHANGES = 5000
"""A stimulus that changes so many movies writes neither log nor row of each, so that 100 000 movies take a second.

Subscribers take a snapshot instead, and a restart decides again (`derive`) what follows from results and settings.
"""


class State:
    """All state, in memory. `now` is monotonic and decides, `wall` (epoch seconds) is only shown.

    `effects` collects what a stimulus asks the shell to do, `ended` the leases that it ends, by movie. `set_aside` are
    stored settings that this version cannot use, by dotted name, `words` what the migration of others means to the
    user. `derived` counts movies that are now otherwise than stored, as it was decided under the plan `derived_by`;
    `migrated` says that settings are. `placing` are the
    leases whose workers have reported; `restore_again` says when (monotonic) outputs that could not be put back are put
    back, and why they could not. `alarms` are those that have come, and stay until `alarms_held_until` in any
    case; `suspected` says since when what rules find has held (both monotonic), `recent` which movies have ended last.
    `active_at` is when (monotonic) there was something to do last. `hungry` names all workers with room for a task, and
    perhaps others; `was_busy` says of those whose leases the present stimulus changes whether they had any before.
    `fault` says what is wrong with the database, once something is. `rate` is that of movies of which all steps ran,
    `reruns` that of those of which only some did. `last_movie` and `last_export` are the highest numbers that a movie
    and an export job ever had, `forgotten` says how many movies were forgotten in this run. `unresolved` are the movies
    that wait for a setting, by number, `told` those of which the same is told by headers and metadata. `groups` are the
    optics groups under the settings `grouped_by`, None until they are found; `ungrouped` are the movies that have come,
    gone or learnt since. `last_optics_group` is the highest number that one ever had. `readable` is what may be read
    beside the two directories. `version` is that of warpcore here, "" where it does not matter.
    """

    def __init__(self, settings: Settings, *, data_directory: str, processing_directory: str, epoch: str) -> None:
        self.data_directory = data_directory
        self.processing_directory = processing_directory
        self.readable = Readable()
        self.version = ""
        self.epoch = epoch
        self.heartbeat_timeout_s = 30.0
        self.task_timeout_s = 1800.0
        self.now = 0.0
        self.wall = 0.0
        self.effects: list[Effect] = []
        self.ended: dict[int, TaskRecord] = {}
        self.movies: dict[int, MovieRecord] = {}
        self.by_name: dict[str, MovieRecord] = {}
        self.by_path: dict[str, MovieRecord] = {}
        self.tasks: dict[int, TaskRecord] = {}
        self.placing: set[int] = set()
        self.workers: dict[str, WorkerRecord] = {}
        self.hungry: set[str] = set()
        self.was_busy: dict[str, bool] = {}
        self.bans: dict[str, Ban] = {}
        self.exports: dict[str, ExportRecord] = {}
        self.held_exports: dict[int, dict[str, None]] = {}
        self.order = Order.NORMAL
        self.queue = ordering.empty_queue(self.order)
        self.parked = Parked()
        self.unresolved: dict[int, None] = {}
        self.told: dict[Facts, dict[int, None]] = {}
        self.to_restore = OrderedQueue()
        self.restoring: set[int] = set()
        self.restore_again: dict[int, tuple[float, str]] = {}
        self.rate = Rate()
        self.reruns = Rate()
        self.arrivals = Arrivals()
        self.latest_runs = LatestRuns()
        self.last_hour = LastHour()
        self.counts = dict.fromkeys(MovieStatus, 0)
        self.revision = 0
        self.choices: dict[str, ChoiceRecord] = {}
        self.selections: dict[int, SelectionRecord] = {}
        self.hand_picks: dict[int, HandPicksRecord] = {}
        self.tries: dict[int, TryRecord] = {}
        self.profiles: dict[str, ProfileRecord] = {}
        self.pools: dict[str, PoolRecord] = {}
        self.adopt(settings, "")
        self.set_aside: dict[str, Any] = {}
        self.migrated = False
        self.words: tuple[str, ...] = ()
        self.paused_by: Pauser | None = None
        self.active_at: float | None = None
        self.seq = 0
        self.last_lease = 0
        self.last_movie = 0
        self.last_export = 0
        self.last_optics_group = 0
        self.groups: OpticsGroups | None = None
        self.grouped_by: Any = None
        self.ungrouped: dict[int, None] = {}
        self.forgotten = 0
        self.last_modified = 0.0
        self.storage = Storage()
        self.file_warnings: list[str] = []
        self.file_notes: list[str] = []
        self.discoverer_heard_at: float | None = None
        self.recent = Recent()
        self.alarms: dict[str, Alarm] = {}
        self.alarms_held_until = 0.0
        self.suspected: dict[str, float] = {}
        self.fault = ""
        self.bulk_changes = BULK_CHANGES
        self.quiet = False
        self.derived = 0
        self.derived_by: SessionPlan | None = None

    @property
    def paused(self) -> bool:
        """Whether no movies are given to workers."""
        return self.paused_by is not None

    # --- what goes out -------------------------------------------------------------------------------------------

    def reply(self, message: Message) -> None:
        """Answer the stimulus."""
        self.effects.append(Reply(message))

    def send(self, worker: WorkerRecord, message: Message, lease: int | None = None) -> None:
        """Send a one-way message to a worker, where its connection is known."""
        if worker.registered:
            self.effects.append(Send(worker.sender, message, lease))

    def publish(self, topic: str, body: Message, *, durable: bool = True) -> None:
        """Publish an event; a durable one gets the next change number and a row in the change log."""
        if durable:
            self.seq += 1
        self.effects.append(Publish(topic, body.to_body(), self.seq if durable else 0))

    def cut_log(self) -> None:
        """Note that so much changed that subscribers need a snapshot."""
        self.seq += 1
        self.effects.append(CutLog(self.seq))

    # --- movies --------------------------------------------------------------------------------------------------

    def add(self, movie: MovieRecord) -> None:
        """Take in a new movie, with the status that it has."""
        self.index(movie)
        self.changed(movie, "movie.added", None)

    def index(self, movie: MovieRecord) -> None:
        """Enter a movie into all maps and counts."""
        self.movies[movie.id] = movie
        self.last_movie = max(self.last_movie, movie.id)
        self.by_name[movie.name] = movie
        self.by_path[movie.path] = movie
        self.told.setdefault(movie.facts, {})[movie.id] = None
        self.ungrouped[movie.id] = None
        self.counts[movie.status] += 1
        if movie.status in ENDED:
            self.recent.note(movie.id)
        self.place(movie)

    def remove(self, movie: MovieRecord) -> None:
        """Take a movie without a lease, which is not being restored, out of all maps, queues and counts."""
        del self.movies[movie.id], self.by_name[movie.name], self.by_path[movie.path]
        self.counts[movie.status] -= 1
        self.hand_picks.pop(movie.id, None)
        self.unresolved.pop(movie.id, None)
        self._untell(movie)
        self.ungrouped[movie.id] = None
        for waiting in (self.queue, self.parked, self.to_restore):
            waiting.remove(movie.id)
        if self._lessons is not None:
            self._lessons.forget(movie.id)
        self.recent.forget(movie.id)
        self.last_hour.forget(movie.id)

    def learn(self, movie: MovieRecord, header: Header | None, acquisition: Acquisition | None) -> None:
        """Take in what a known movie's file and metadata say now."""
        self._untell(movie)
        movie.learn(header, acquisition)
        self.told.setdefault(movie.facts, {})[movie.id] = None
        self.ungrouped[movie.id] = None

    def _untell(self, movie: MovieRecord) -> None:
        told = self.told[movie.facts]
        del told[movie.id]
        if not told:
            del self.told[movie.facts]

    def movies_after(self, id: int) -> Iterator[MovieRecord]:
        """All movies with higher numbers, in order. Those of forgotten movies are missing."""
        numbers = range(max(0, id) + 1, self.last_movie + 1)
        return (self.movies[number] for number in numbers if number in self.movies)

    def name_of(self, id: int) -> str:
        """A movie's name, also where it is forgotten."""
        return self.movies[id].name if id in self.movies else f"movie {id}, forgotten"

    def move(self, movie: MovieRecord, status: MovieStatus, why: str) -> None:
        """Change a movie's status, or store it under the present one. Raises IllegalTransition, nothing changed."""
        previous = movie.status
        movie.become(status, why)
        self.counts[previous] -= 1
        self.counts[status] += 1
        text = f"{previous} → {status}: {why}" if previous != status else f"{status}: {why}"
        movie.tell(self.seq, self.wall, text, self._task_behind(movie))
        topic = "movie.status"
        if status == MovieStatus.FAILED:
            topic = "movie.failed"
        elif status in DONE and previous not in DONE:
            topic = "movie.done"
        if topic != "movie.status":
            self.recent.note(movie.id)
        self.changed(movie, topic, previous)

    def _task_behind(self, movie: MovieRecord) -> TaskRecord | None:
        """The task that runs a movie's own steps now, or ended in this stimulus."""
        task = self.ended.get(movie.id) if movie.lease is None else self.tasks[movie.lease]
        return task if task is not None and task.processes else None

    def changed(self, movie: MovieRecord, topic: str = "movie.status", previous: str | None = "") -> None:
        """Store, place and publish a movie after a change; `previous` "" stands for its present status."""
        self.place(movie)
        self.last_modified = self.wall
        if not (self.quiet and movie.status in DERIVED and previous in DERIVED):
            self.effects.append(SaveMovie(rows.movie_row(movie)))
        if not self.quiet:
            before = movie.status if previous == "" else previous
            self.publish(topic, MovieEvent(self.movie_view(movie), MovieStatus(before) if before else None))

    def arrange(self, order: Order) -> None:
        """Let waiting movies run in this order."""
        waiting = list(self.queue.in_turn(0))
        self.order, self.queue = order, ordering.empty_queue(order)
        for id in waiting:
            self.place(self.movies[id])

    def place(self, movie: MovieRecord) -> None:
        """Put a movie where its status, selection and lease say: in the queue, parked, or in neither."""
        movie.waits_for = self.learning.of(movie.facts).resolved.waits_for if movie.status in WAITING else ""
        if movie.waits_for:
            self.unresolved[movie.id] = None
        else:
            self.unresolved.pop(movie.id, None)
        if self._lessons is not None:
            self._lessons.see(movie)
        restorable = movie.restore_to and movie.lease is None and not movie.restoring
        if restorable:
            self.to_restore.put(movie.id, (movie.id,))
        else:
            self.to_restore.remove(movie.id)
        waits = movie.status in WAITING and movie.selection != Selection.EXCLUDE and movie.lease is None
        waits = waits and not (movie.restore_to or movie.restoring or movie.waits_for)
        if waits and movie.parked_until is not None:
            self.queue.remove(movie.id)
            self.parked.put(movie.id, movie.parked_until)
            return
        self.parked.remove(movie.id)
        if waits:
            self.queue.put(movie.id, ordering.keys(self.order, movie))
        else:
            self.queue.remove(movie.id)

    def place_waiting(self) -> None:
        """Put all waiting movies where they belong, after a setting that they may wait for."""
        for movie in self.movies.values():
            if movie.status in WAITING:
                self.place(movie)

    def movie_view(self, movie: MovieRecord) -> Any:
        """A movie as others see it."""
        task = self.tasks.get(movie.lease) if movie.lease is not None else None
        worker = task.worker if task is not None and task.processes else None
        return views.movie_view(movie, worker, self.plan.off)

    # --- steps ---------------------------------------------------------------------------------------------------

    def adopt(self, settings: Settings, references: str) -> None:
        """Take these settings, and the identities of the files that they name, as the present ones."""
        self.settings, self.references = settings, references
        self.filter = Filter(settings.filter)
        self.learning = self.planned(settings)
        self.plan = self.learning.plan
        # Results of the first form were made before anything was learnt, or told by movies.
        self.former = FormerPlan(settings, references, self.learning.unlearnt)
        self._lessons: Lessons | None = None

    def planned(self, settings: Settings, references: str | None = None) -> SessionPlan:
        """Fingerprints under other settings with what was learnt for these."""
        references = self.references if references is None else references
        return SessionPlan(settings, references, {key: one.choice for key, one in self.choices.items()})

    @property
    def lessons(self) -> Lessons:
        """What the steps that still learn have to go by; found anew, from all movies, once other settings hold."""
        if self._lessons is None:
            self._lessons = Lessons(self.learning.undecided, self.movies.values())
        return self._lessons

    def wanted(self, movie: MovieRecord) -> dict[str, str]:
        """The fingerprints that this movie's results should have."""
        return self.learning.of(movie.facts).plan.wanted(movie.size, movie.mtime_ns, movie.edits)

    def needed_steps(self, movie: MovieRecord) -> list[str]:
        """The steps that must run. A step that is switched off need not: its result stays, for when it is on again."""
        return self._missing(movie, movie.fingerprints)

    def stored(self, movie: MovieRecord, made_with: dict[str, str]) -> dict[str, str]:
        """Stored fingerprints in today's form, where they are of an earlier one and fit the present settings."""
        return self.former.translated(made_with, movie.size, movie.mtime_ns)

    def _missing(self, movie: MovieRecord, made_with: dict[str, str]) -> list[str]:
        return needed_steps(self.wanted(movie), self.stored(movie, made_with))

    def need(self, movie: MovieRecord, steps: list[str]) -> None:
        """Note which steps must run, and which kept outputs could be put back instead."""
        movie.outdated_steps = steps
        movie.restore_to = self.fitting(movie) if steps else ""

    def fitting(self, movie: MovieRecord) -> str:
        """The key of the newest kept outputs that are as wanted, "" where there are none."""
        for key, made_with in reversed(movie.kept.items()):
            if not self._missing(movie, made_with):
                return key
        return ""

    def judge(self, movie: MovieRecord, results: dict[str, Any] | None = None) -> tuple[MovieStatus, list[str]]:
        """The status (processed or filtered_out) and the filter's reasons of a movie whose results are all there.

        `results` stand for its own, where they are given.
        """
        reasons = self.filter.reasons(views.shown_results(movie, self.plan.off, results))
        return movie.verdict(reasons), reasons

    def derive(self, movie: MovieRecord) -> bool:
        """Decide again, without telling, what follows from results and settings; whether anything is different now."""
        if movie.status not in DERIVED:
            return False
        before = (movie.status, movie.outdated_steps, movie.filter_reasons)
        self.need(movie, self.needed_steps(movie))
        if movie.outdated_steps:
            movie.become(MovieStatus.OUTDATED, "derived")
        else:
            status, movie.filter_reasons = self.judge(movie)
            movie.become(status, "derived")
        return before != (movie.status, movie.outdated_steps, movie.filter_reasons)

    @property
    def underived(self) -> Iterator[MovieRecord]:
        """The movies that `derive` has not decided on, or not as it would under what holds now."""
        is_current = self.derived_by is self.learning
        return (movie for movie in self.movies.values() if not (is_current and movie.status in DERIVED))

    # --- leases --------------------------------------------------------------------------------------------------

    def lease(
        self,
        movie: MovieRecord,
        worker: WorkerRecord,
        purpose: str,
        run: list[str],
        wanted: dict[str, str],
        suffix: str,
    ) -> TaskRecord:
        """Reserve a movie for a worker: assignment and reservation are one. `suffix` is the setting of its outputs."""
        if movie.lease is not None:
            why = f"leased to {worker.name} under a second lease"
            raise IllegalTransition(movie.name, movie.status, movie.status, why, movie.told())
        self.last_lease += 1
        task = TaskRecord(
            *(self.last_lease, movie.id, worker.name, worker.instance, purpose, run, wanted),
            assigned_at=self.wall,
            suffix=suffix,
            active_at=self.now,
        )
        self.tasks[task.lease] = task
        movie.lease = task.lease
        self.was_busy.setdefault(worker.name, bool(worker.leases))
        worker.leases.append(task.lease)
        worker.become(WorkerState.BUSY, f"lease {task.lease}")
        self.rate.begin(self.now)
        self.reruns.begin(self.now)
        self.effects.append(SaveTask(rows.task_row(task)))
        return task

    def advance(self, task: TaskRecord, state: LeaseState, why: str) -> None:
        """Take a lease one state further, and store it. Raises IllegalTransition."""
        task.become(state, why)
        self.effects.append(SaveTask(rows.task_row(task)))

    def release(self, task: TaskRecord, end: LeaseState, why: str) -> MovieRecord:
        """End a lease as finished or lost; the caller moves the movie on. Raises IllegalTransition."""
        task.become(end, why)
        movie = self.movies[task.movie]
        del self.tasks[task.lease]
        self.ended[movie.id] = task
        self.placing.discard(task.lease)
        movie.lease = None
        self._free_worker(task)
        self.effects += [DropTask(task.lease), DropStaging(movie.id, task.lease)]
        return movie

    def take_over(self, task: TaskRecord) -> None:
        """The worker has handed in its work and is free; the lease goes on without it."""
        self.placing.add(task.lease)
        self._free_worker(task)

    def _free_worker(self, task: TaskRecord) -> None:
        worker = self.workers.get(task.worker)
        if worker is not None and task.lease in worker.leases:
            self.was_busy.setdefault(worker.name, True)
            self.hungry.add(worker.name)
            worker.leases.remove(task.lease)
            worker.idle_since = self.now
            if not worker.leases and worker.state == WorkerState.BUSY:
                worker.become(WorkerState.IDLE, f"lease {task.lease} ended")
