"""The scheduler's state and its primitive changes, each of which keeps counts, queues, rows and events in step."""

from __future__ import annotations

from typing import Any

from warpcore.bus.messages import MovieEvent
from warpcore.bus.schema import Message
from warpcore.services.scheduler.core import views
from warpcore.services.scheduler.core.effects import CutLog, DropTask, Effect, Publish, Reply, SaveMovie, SaveTask, Send
from warpcore.services.scheduler.core.export_records import ExportRecord
from warpcore.services.scheduler.core.queue import OrderedQueue, Parked
from warpcore.services.scheduler.core.rates import Rate
from warpcore.services.scheduler.core.records import (
    DERIVED,
    DONE,
    FAILED,
    FILTERED_OUT,
    OUTDATED,
    PROCESS,
    PROCESSED,
    STATUSES,
    TRANSITIONS,
    WAITING,
    Ban,
    IllegalTransition,
    MovieRecord,
    TaskRecord,
    WorkerRecord,
)
from warpcore.services.session.filtering import filter_reasons
from warpcore.services.session.fingerprints import OFF, FingerprintPlan, steps_to_run
from warpcore.services.session.fingerprints_v1 import FormerPlan
from warpcore.services.session.settings import Settings

BULK_CHANGES = 5000
"""From so many movies changed by one stimulus on, neither log nor rows tell of each: subscribers take a snapshot, and what
results and settings decide (`derive`) is decided again at a restart. So 100 000 movies wait a second for new settings."""


class State:
    """All state, in memory. `now` is monotonic and decides, `wall` (epoch seconds) is only shown.

    What a stimulus does to it is collected in `effects`.
    """

    def __init__(self, settings: Settings, *, data_directory: str, processing_directory: str, epoch: str) -> None:
        self.data_directory = data_directory
        self.processing_directory = processing_directory
        self.epoch = epoch
        self.heartbeat_timeout_s = 30.0
        self.task_timeout_s = 1800.0
        self.now = 0.0
        self.wall = 0.0
        self.effects: list[Effect] = []
        self.movies: dict[int, MovieRecord] = {}
        self.by_name: dict[str, MovieRecord] = {}
        self.by_path: dict[str, MovieRecord] = {}
        self.tasks: dict[int, TaskRecord] = {}
        self.workers: dict[str, WorkerRecord] = {}
        self.bans: dict[str, Ban] = {}
        self.exports: dict[str, ExportRecord] = {}
        self.held_exports: dict[int, set[str]] = {}
        self.queue = OrderedQueue()
        self.parked = Parked()
        self.to_restore = OrderedQueue()
        self.restoring: set[int] = set()
        self.rate = Rate()
        self.counts = dict.fromkeys(STATUSES, 0)
        self.revision = 0
        self.adopt(settings, "")
        self.paused = False
        self.seq = 0
        self.last_lease = 0
        self.last_modified = 0.0
        self.file_warnings: list[str] = []
        self.bulk_changes = BULK_CHANGES
        self.quiet = False
        self.derived = 0

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
        self.by_name[movie.name] = movie
        self.by_path[movie.path] = movie
        self.counts[movie.status] += 1
        self.place(movie)

    def move(self, movie: MovieRecord, status: str, why: str) -> None:
        """Change a movie's status (to the same one: only what goes with it). Raises IllegalTransition, nothing changed."""
        previous = movie.status
        if previous != status and (previous, status) not in TRANSITIONS:
            raise IllegalTransition(movie, status, why)
        self.counts[previous] -= 1
        self.counts[status] += 1
        movie.status = status
        movie.tell(self.seq, self.wall, f"{previous} → {status}: {why}" if previous != status else f"{status}: {why}")
        topic = "movie.status"
        if status == FAILED:
            topic = "movie.failed"
        elif status in DONE and previous not in DONE:
            topic = "movie.done"
        self.changed(movie, topic, previous)

    def changed(self, movie: MovieRecord, topic: str = "movie.status", previous: str | None = "") -> None:
        """Store, place and publish a movie after any change; `previous` "" stands for its present status."""
        self.place(movie)
        self.last_modified = self.wall
        if not (self.quiet and movie.status in DERIVED and previous in DERIVED):
            self.effects.append(SaveMovie(movie))
        if not self.quiet:
            self.publish(topic, MovieEvent(self.movie_view(movie), movie.status if previous == "" else previous))

    def place(self, movie: MovieRecord) -> None:
        """Put a movie where its status, selection and lease say: in the queue, parked, or in neither."""
        restorable = movie.restore_to and movie.lease is None and not movie.restoring
        if restorable:
            self.to_restore.put(movie.id, (movie.id,))
        else:
            self.to_restore.remove(movie.id)
        waits = movie.status in WAITING and movie.selection != "exclude" and movie.lease is None
        waits = waits and not movie.restore_to and not movie.restoring
        if waits and movie.parked_until is not None:
            self.queue.remove(movie.id)
            self.parked.put(movie.id, movie.parked_until)
            return
        self.parked.remove(movie.id)
        if waits:
            self.queue.put(movie.id, self.order(movie))
        else:
            self.queue.remove(movie.id)

    def order(self, movie: MovieRecord) -> tuple[int, int, int]:
        """The place in the queue: high priority first, then outdated ones, then in order of discovery."""
        return (-movie.priority, 0 if movie.status == OUTDATED else 1, movie.id)

    def movie_view(self, movie: MovieRecord) -> Any:
        """A movie as others see it."""
        task = self.tasks.get(movie.lease) if movie.lease is not None else None
        worker = task.worker if task is not None and task.purpose == PROCESS else None
        return views.movie_view(movie, worker, self.plan.off)

    # --- steps ---------------------------------------------------------------------------------------------------

    def adopt(self, settings: Settings, references: str) -> None:
        """Take these settings, and the identities of the files that they name, as those in force."""
        self.settings, self.references = settings, references
        self.plan = FingerprintPlan(settings, references)
        self.former = FormerPlan(settings, references, self.plan)

    def wanted(self, movie: MovieRecord) -> dict[str, str]:
        """The fingerprints that this movie's results should have."""
        return self.plan.wanted(movie.size, movie.mtime_ns)

    def needed_steps(self, movie: MovieRecord) -> list[str]:
        """The steps that must run. One that is switched off needs nothing: what is stored of it stays, for when it is on again."""
        return self._missing(movie, movie.fingerprints)

    def stored(self, movie: MovieRecord, made_with: dict[str, str]) -> dict[str, str]:
        """Stored fingerprints in today's form, where they are of an earlier one and fit the settings in force."""
        return self.former.translated(made_with, movie.size, movie.mtime_ns)

    def _missing(self, movie: MovieRecord, made_with: dict[str, str]) -> list[str]:
        wanted = self.wanted(movie)
        return [step for step in steps_to_run(wanted, self.stored(movie, made_with)) if wanted[step] != OFF]

    def need(self, movie: MovieRecord, steps: list[str]) -> None:
        """Note which steps must run, and whether outputs are kept that make it needless."""
        movie.outdated_steps = steps
        movie.restore_to = self.fitting(movie) if steps else ""

    def fitting(self, movie: MovieRecord) -> str:
        """The key of the newest kept outputs that are as wanted, "" where there are none."""
        for key, made_with in reversed(movie.kept.items()):
            if not self._missing(movie, made_with):
                return key
        return ""

    def judge(self, movie: MovieRecord) -> tuple[str, list[str]]:
        """The status (processed or filtered_out) and the filter's reasons of a movie whose results are all there."""
        reasons = filter_reasons(views.valid_results(movie, self.plan.off), self.settings.filter)
        return (PROCESSED if not reasons or movie.selection == "include" else FILTERED_OUT), reasons

    def derive(self, movie: MovieRecord) -> bool:
        """Decide again, silently, what results and settings in force decide; whether it was something else."""
        if movie.status not in DERIVED:
            return False
        before = (movie.status, movie.outdated_steps, movie.filter_reasons)
        self.need(movie, self.needed_steps(movie))
        if movie.outdated_steps:
            movie.status = OUTDATED
        else:
            movie.status, movie.filter_reasons = self.judge(movie)
        return before != (movie.status, movie.outdated_steps, movie.filter_reasons)

    # --- leases --------------------------------------------------------------------------------------------------

    def lease(
        self, movie: MovieRecord, worker: WorkerRecord, purpose: str, run: list[str], wanted: dict[str, str]
    ) -> TaskRecord:
        """Reserve a movie for a worker: assignment and reservation are one."""
        if movie.lease is not None:
            raise IllegalTransition(movie, movie.status, f"leased to {worker.name} under a second lease")
        self.last_lease += 1
        task = TaskRecord(
            self.last_lease, movie.id, worker.name, worker.instance, purpose, run, wanted, active_at=self.now
        )
        self.tasks[task.lease] = task
        movie.lease = task.lease
        worker.leases.append(task.lease)
        self.rate.begin(self.now)
        self.effects.append(SaveTask(task))
        return task

    def release(self, task: TaskRecord) -> MovieRecord:
        """End a lease, for whatever reason; the caller moves the movie on."""
        movie = self.movies[task.movie]
        del self.tasks[task.lease]
        movie.lease = None
        worker = self.workers.get(task.worker)
        if worker is not None and task.lease in worker.leases:
            worker.leases.remove(task.lease)
        self.effects.append(DropTask(task.lease))
        return movie
