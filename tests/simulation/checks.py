"""What must hold of a session: after each decision, after each round, and at its end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.simulation.compute import OUTPUTS, true_content, true_results
from tests.simulation.microscope import metadata_name
from tests.simulation.part import Broken
from warpcore.bus import messages as wire
from warpcore.bus.follower import Reset
from warpcore.bus.vocabulary import DONE, ENDED, FailureKind, MovieStatus, StoragePlace
from warpcore.services.scheduler.core import ordering
from warpcore.services.scheduler.core.effects import Effect, Publish, Send
from warpcore.services.scheduler.core.invariants import InvariantError, validate
from warpcore.services.scheduler.core.lives import LeaseState
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import Stimulus
from warpcore.services.session.movie_record import MovieRecordFile, record_path
from warpcore.services.session.tables import PARTICLES, TABLES
from warpcore.services.tracker.state import TrackerState

if TYPE_CHECKING:
    from tests.simulation.world import World

MOST = 1000
"""Changes of settings that are looked at; a run has fewer."""
OWN_FOLDER = ".warpcore/"


def require(holds: object, invariant: str, text: str) -> None:
    """Raises Broken."""
    if not holds:
        raise Broken(f"{invariant}: {text}")


class Checks:
    """The invariants of one session."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._checked: tuple[int, int] | None = None
        self._head = 0

    # --- while it runs ---------------------------------------------------------------------------------------------

    def decided(self, state: State, stimulus: Stimulus, effects: list[Effect]) -> None:
        """After a decision: assignments keep the order."""
        for effect in effects:
            if isinstance(effect, Send) and isinstance(effect.message, wire.AssignTask):
                self._world.simulator.note(
                    f"assigns {effect.message.name} as {effect.message.lease} to {effect.sender!r}"
                )
                self._keeps_order(state, effect.message)
            elif isinstance(effect, Publish) and effect.topic in ("movie.failed", "movie.done", "worker.lost"):
                self._world.simulator.note(effect.topic)

    def _keeps_order(self, state: State, task: wire.AssignTask) -> None:
        assigned, worker = state.by_name[task.name], state.tasks[task.lease].worker
        waited = replace(assigned, status=assigned.waiting_status)
        place = ordering.keys(state.order, waited)
        turn = (task.lease - 1) % len(place)
        for id in state.queue.in_turn(task.lease - 1):
            other = state.movies[id]
            before = ordering.keys(state.order, other)[turn] < place[turn]
            require(not before or worker in other.avoid, "order", f"{other.name} waits before {assigned.name}")

    def round(self, state: State) -> None:
        """After a round, whose decisions are stored: the state does not contradict itself, and disks say the same."""
        store = self._world.scheduler.session.store
        now = (self._world.scheduler.starts, store.head)
        require(store.head >= self._head, "durable", f"change {self._head} was told and is lost")
        self._head = store.head
        if now == self._checked:
            return
        self._checked = now
        try:
            validate(state)
        except InvariantError as error:
            raise Broken(f"state: {error}") from error
        self._files(state)
        lost = [name for name in self._world.discoverer.registered if name not in state.by_path]
        require(not lost, "acknowledged", f"{lost} were registered and are lost")

    def _files(self, state: State) -> None:
        """Outputs on disk are those that the state tells of, whole."""
        files = self._world.disks[StoragePlace.PROCESSING].files
        for movie in state.movies.values():
            task = state.tasks.get(movie.lease) if movie.lease is not None else None
            if movie.restoring or (task is not None and task.state == LeaseState.PLACING):
                continue  # files are being placed
            for step, outputs in OUTPUTS.items():
                made_with = movie.fingerprints.get(step)
                for output in outputs if made_with is not None else ():
                    path = output.path(movie.name)
                    found = files[path].text if path in files else None
                    expected = true_content(step, output, made_with or "")
                    require(
                        found == expected, "files", f"{path} is {found!r}, the state of {movie.name} says {expected!r}"
                    )

    # --- at the end ------------------------------------------------------------------------------------------------

    def who_waits(self) -> str:
        """Who has something left to do, "" where all is done."""
        world, state = self._world, self._world.scheduler.state
        incubation = world.discoverer.incubation
        unknown = [name for name in world.microscope.lasting if not self._is_known(state, name)]
        untold = [name for name in world.microscope.lasting if self._untold(state, name)]
        open_movies = [movie for movie in state.movies.values() if movie.status not in ENDED]
        waiting = {
            "files that are not registered": unknown,
            "metadata that are not registered": untold,
            "movies that have not ended": [f"{one.name} ({one.status})" for one in open_movies],
            "leases": list(state.tasks),
            "workers": [f"{name}, {why}" for name in world.worker_names if (why := self._why_not_idle(state, name))],
            "discoverer": incubation.incubating + incubation.waiting,
            "tracker": world.scheduler.session.store.head - world.tracker.follower.seq,
            "user": world.user.is_waiting,
        }
        return "; ".join(f"{who}: {what}" for who, what in waiting.items() if what)

    def _is_known(self, state: State, name: str) -> bool:
        movie, file = state.by_path.get(name), self._world.disks[StoragePlace.DATA].files.get(name)
        return movie is not None and file is not None and (movie.size, movie.mtime_ns) == (file.size, file.mtime_ns)

    def _untold(self, state: State, name: str) -> bool:
        """Whether the state does not know a registered movie's metadata as they are."""
        movie = state.by_path.get(name)
        file = self._world.disks[StoragePlace.DATA].files.get(metadata_name(name))
        if movie is None or file is None:
            return False
        return movie.acquisition is None or movie.acquisition.source_mtime_ns != file.mtime_ns

    def _why_not_idle(self, state: State, name: str) -> str:
        """Why no worker of this name could be given a movie now."""
        record = state.workers.get(name)
        if record is None or not record.usable or not record.credit:
            return "the scheduler cannot use it"
        instances = [one for one in self._world.workers if one.worker_name == name and one.up]
        holder = next((one for one in instances if one.instance == record.instance), None)
        if holder is None:
            return "the scheduler believes in a dead one"
        if not holder.nanny.registered or holder.nanny.held or holder.nanny.waits_for_answers:
            return "its nanny waits"
        return ""

    def end(self) -> None:
        """All is quiet: each movie has its right end, users' changes hold, the tracker's files tell the state."""
        state = self._world.scheduler.state
        self._checked = None
        self.round(state)
        for movie in state.movies.values():
            self._ended_rightly(movie)
        self._acknowledged(state)
        self._audited()
        self._tracker_files(state)
        self._nothing_left_over()

    def _ended_rightly(self, movie: MovieRecord) -> None:
        microscope = self._world.microscope
        there = movie.path in microscope.lasting
        spoilt = movie.path in microscope.damaged or not there
        text = movie.failure.message if movie.failure is not None else ""
        if movie.status == MovieStatus.FAILED:
            blamed = movie.failure is not None and movie.failure.kind is FailureKind.INPUT
            require(blamed and spoilt, "outcome", f"{movie.name} failed although it is well: {movie.failure} {text}")
        else:
            require(movie.status in DONE, "outcome", f"{movie.name} is {movie.status}")
            made = true_results(movie.fingerprints)
            right = all(movie.results.get(step) == result for step, result in made.items())
            require(right, "outcome", f"{movie.name} has results of another task")
            if not self._world.power_cuts:  # records are not flushed
                self._recorded(movie)
            if there:
                file = self._world.disks[StoragePlace.DATA].files[movie.path]
                same = (movie.size, movie.mtime_ns) == (file.size, file.mtime_ns)
                require(same, "outcome", f"{movie.name} is that of a former file")

    def _recorded(self, movie: MovieRecord) -> None:
        """The file beside a movie's results, from which a lost state can be made anew, says what the state does."""
        files = self._world.disks[StoragePlace.PROCESSING].files
        of_file = movie.name, movie.path, movie.size, movie.mtime_ns
        path = record_path(movie.name)
        written = json.loads(files[path].text) if path in files else {}
        # Metadata that came later and made nothing run are read again where a state is made anew.
        said = movie.said[0], written.get("acquisition")
        record = MovieRecordFile(*of_file, movie.fingerprints, movie.results, movie.outputs, *said)
        require(written and files[path].text == record.text, "record", f"{path} does not tell the state")

    def _acknowledged(self, state: State) -> None:
        settings = state.settings.to_dict()
        for name, value in self._world.user.settled.items():
            if name == "paused":
                now: object = state.paused
            elif name == "order":
                now = state.order
            elif name.startswith("selection of "):
                now = state.by_name[name.removeprefix("selection of ")].selection
            else:
                section, _, field = name.partition(".")
                now = settings[section][field]
            require(now == value, "acknowledged", f"{name} is {now!r}, not {value!r}")

    def _audited(self) -> None:
        """Each change of settings that the user has asked for has its entry, and there is no other."""
        store = self._world.scheduler.session.store
        changes = [f"settings {one.revision}" for one in store.settings_history(None, MOST) if one.by == "user"]
        entries = store.audit(wire.GetAudit(limit=MOST, action="settings")).entries
        told = [one.detail.partition(":")[0] for one in entries if one.via == "user"]
        require(told == changes, "audit", f"{told} are told of {changes}")

    def _tracker_files(self, state: State) -> None:
        """The files are those that a tracker would write that has just begun."""
        fresh = TrackerState("/processing")
        movies = [state.movie_view(movie) for movie in state.movies.values()]
        fresh.apply(Reset(state.seq, state.epoch, movies, state.settings.to_dict(), state.revision, state.paused), 0.0)
        fresh.set_directories("/data", "/processing", 0.0)
        files = self._world.disks[StoragePlace.PROCESSING].files
        for name in TABLES:
            if name != PARTICLES:
                found = files[name].text if name in files else None
                require(found == fresh.text(name), "tracker", f"{name} does not tell the state")

    def _nothing_left_over(self) -> None:
        """No file has a name that it should not have."""
        files = self._world.disks[StoragePlace.PROCESSING].files
        names = [movie.name for movie in self._world.scheduler.state.movies.values()]
        made = {output.path(name) for name in names for outputs in OUTPUTS.values() for output in outputs}
        made |= {record_path(name) for name in names}
        others = [path for path in files if not path.startswith(OWN_FOLDER) and path not in {*made, *TABLES}]
        require(not others, "files", f"{others} are nobody's")
