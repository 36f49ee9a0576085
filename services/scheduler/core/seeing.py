"""Workers prove that they see the shared folders: before their first task, and again while they run.

A worker reads the token that the scheduler renews in the processing directory, and looks at a movie that the scheduler
itself sees in the data directory. One that does not see both is given nothing, and costs no movie anything. As long as
the scheduler has written no token, no proof is asked for.
"""

from __future__ import annotations

import itertools

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import StorageCondition, StoragePlace
from warpcore.services.scheduler.core import tasks
from warpcore.services.scheduler.core.holds import longer
from warpcore.services.scheduler.core.queue import Verdict
from warpcore.services.scheduler.core.records import WorkerRecord
from warpcore.services.scheduler.core.sight import Sight
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import ReferencesLooked, StorageLooked
from warpcore.services.session.named_files import used_files
from warpcore.services.storage.looking import TOKEN, KnownFile
from warpcore.services.storage.standing import Needs

LOOK_EVERY_S = 30.0
AGAIN_S = 2.0
"""How soon a worker that does not see the folders is asked again."""
ANSWER_S = 12.0
"""A worker tells by itself when its storage hangs for 10 s; this is for one that tells nothing."""
GIVEN_BACK_S = 60.0
"""So long a worker whose storage hangs or errs may keep its movies; then others do them."""
MOST_KNOWN = 8
STATE_SHARE = 1 / 20
"""The database needs this share of the space that results need."""
NOT_SHOWN = "it has not shown yet that it sees the session's folders"


def looked(state: State, stimulus: StorageLooked) -> None:
    """Take in a look of the scheduler's own. What has come back, or was not known before, workers must show anew."""
    storage, place = state.storage, stimulus.place
    before = storage.condition(place)
    storage.looked(place, stimulus.path, stimulus.look, needs(state, place), state.now)
    storage.tokens += [token for token in stimulus.tokens if token not in storage.tokens]
    if place is StoragePlace.DATA:
        storage.anchor, storage.anchored = stimulus.anchor, stimulus.sought
    back = before is StorageCondition.AWAY and storage.condition(place) is not StorageCondition.AWAY
    for worker in state.workers.values():
        if back or (storage.anchor and not worker.sight.sees_data):
            demand(state, worker)


def reference_paths(state: State) -> tuple[str, ...]:
    """The files that the present settings use."""
    return tuple(dict.fromkeys(one.path for one in used_files(state.settings)))


def files_named(state: State) -> None:
    """Settings have changed. Where they use other files, workers must show that they see these, once they are seen."""
    paths = reference_paths(state)
    known = state.storage.references or {}
    if known.keys() >= set(paths):
        state.storage.references = {path: known[path] for path in paths}
        return
    state.storage.references = None
    for worker in state.workers.values():
        demand(state, worker)


def looked_at_references(state: State, stimulus: ReferencesLooked) -> None:
    """Take in which of the files that settings name the scheduler sees; what is new to it, workers must show."""
    if stimulus.sought != reference_paths(state):
        return
    before, state.storage.references = state.storage.references, {one.path: one for one in stimulus.found}
    if before == state.storage.references:
        return
    for worker in state.workers.values():
        if worker.sight.problem in ("", NOT_SHOWN):
            worker.sight.problem = ""
            demand(state, worker)


def needs(state: State, place: StoragePlace) -> Needs:
    """The space that must be free at a place, as the settings say."""
    hold, reserve = state.settings.session.disk_needed_gb, state.settings.alarms.disk_reserve_gb
    share = STATE_SHARE if place is StoragePlace.STATE else 1.0
    return Needs(1e9 * share * (hold or 0), 1e9 * share * (reserve or 0))


def known_files(state: State) -> list[KnownFile]:
    """A few movies that should lie in the data directory: the present anchor, waiting ones, the newest."""
    anchor = state.by_path.get(state.storage.anchor)
    ids = [anchor.id] if anchor is not None else []

    def judge(id: int) -> Verdict:
        ids.append(id)
        return Verdict.SKIP if len(ids) < MOST_KNOWN else Verdict.STOP

    state.queue.in_turn(0).choose(judge)
    ids += itertools.islice(reversed(state.movies), MOST_KNOWN)
    movies = [state.movies[id] for id in dict.fromkeys(ids)]
    return [KnownFile(movie.path, movie.size, movie.mtime_ns) for movie in movies]


def is_unsure(state: State) -> bool:
    """Whether a look must first find a movie by which workers can prove what they see."""
    return bool(state.storage.tokens and state.movies and not state.storage.anchored)


def registered(state: State, worker: WorkerRecord) -> None:
    """A worker is there: what an earlier connection or instance has shown does not count."""
    worker.sight = Sight()
    demand(state, worker)


def demand(state: State, worker: WorkerRecord) -> None:
    """Give a worker nothing until it has shown that it sees the folders. One that is blind is asked anyway."""
    if state.storage.tokens and worker.alive and worker.registered and not worker.sight.problem:
        worker.sight.problem = NOT_SHOWN
        _ask(state, worker)


def watch(state: State) -> None:
    """Ask each worker whose turn it is, and note which give no answer. To be called every second or so."""
    for worker in state.workers.values():
        sight = worker.sight
        if not (worker.alive and worker.registered) or state.now < sight.next_at:
            continue
        if not state.storage.tokens:
            sight.problem = ""
            continue
        if sight.asked_at is not None:
            sight.problem = "it does not say whether it sees the session's folders; is its warpcore as new as this one?"
            _note_blind(state, worker)
        _ask(state, worker)


def met_away(state: State, worker: WorkerRecord, text: str) -> None:
    """A worker met storage that is away: it is left alone for a pause, twice as long each time, and then asked."""
    sight = worker.sight
    if sight.pause_s and sight.problem:
        return
    sight.problem = sight.met = text
    sight.sees_data, sight.asked_at = False, None
    sight.pause_s = longer(sight.pause_s)
    sight.next_at = state.now + sight.pause_s


def answered(state: State, worker: WorkerRecord, message: wire.WorkerSees) -> None:
    """What a worker sees of the folders. The leases of one that sees another processing directory are taken back."""
    sight = worker.sight
    if sight.asked_at is None:
        return
    lost = _lost_results(state, worker, message)
    sight.asked_at = None
    sight.sees_data = _sees_data(state, message)
    sight.problem = lost or message.problem or _lost_data(state, worker, message) or _lost_file(state, worker, message)
    if not sight.problem and not sight.sees_data and state.storage.anchor:
        sight.problem = NOT_SHOWN  # it was asked about a movie that has gone since
    sight.next_at = state.now + (AGAIN_S if sight.problem else LOOK_EVERY_S)
    _note_blind(state, worker)
    if lost:
        _take_back(state, worker)


def _note_blind(state: State, worker: WorkerRecord) -> None:
    """Note since when a worker does not see the folders. After a while its movies go to others, and count nothing."""
    sight = worker.sight
    if not sight.problem:
        sight.blind_since = None
    elif sight.blind_since is None:
        sight.blind_since = state.now
    elif state.now - sight.blind_since > GIVEN_BACK_S and not state.storage.holds:
        _take_back(state, worker)


def _take_back(state: State, worker: WorkerRecord) -> None:
    for lease in list(worker.leases):
        tasks.requeue(state, state.tasks[lease], f"{worker.name}: {worker.sight.problem}", cancel=True)


def _ask(state: State, worker: WorkerRecord) -> None:
    sight = worker.sight
    sight.asked_at, sight.next_at = state.now, state.now + ANSWER_S
    storage = state.storage
    folders = state.processing_directory, state.data_directory
    state.send(worker, wire.LookAtFolders(*folders, storage.anchor, list(storage.references or ())))


def _lost_results(state: State, worker: WorkerRecord, message: wire.WorkerSees) -> str:
    """Why a worker's results would be lost, "" where it sees the processing directory or could not look."""
    if message.problem or message.token in state.storage.tokens:
        return ""
    path = state.processing_directory
    if not message.token:
        missing = f"it does not see the processing directory: {path}/{TOKEN} is not there"
        return f"{missing}; {_mended(worker, message, path)}"
    if here := message.looked_in.get(path):
        return f"it sees another folder at {here} than this session's {path}; {_mended(worker, message, path)}"
    return f"it sees another folder at {path}, not this session's; mount the right one on {worker.host}"


def _mended(worker: WorkerRecord, message: wire.WorkerSees, path: str) -> str:
    """What to do where a worker does not see the scheduler's folder `path`."""
    here = message.looked_in.get(path)
    if here is None:
        return f"mount {path} on {worker.host}"
    if here == path:
        return f"mount {path} on {worker.host}, or name it in the --path-map there, which does not"
    return f"the --path-map on {worker.host} has it at {here}: correct that, or mount it there"


def _sees_data(state: State, message: wire.WorkerSees) -> bool:
    movie = state.by_path.get(message.movie)
    return movie is not None and (message.size, message.mtime_ns) == (movie.size, movie.mtime_ns)


def _lost_data(state: State, worker: WorkerRecord, message: wire.WorkerSees) -> str:
    """Why a worker could not read movies, "" where it sees the one it was asked about, or that one is gone since."""
    anchor = state.storage.anchor
    if not anchor or message.movie != anchor or _sees_data(state, message):
        return ""
    path, what = state.data_directory, "is another file" if message.size is not None else "is not there"
    return f"it does not see the data directory: {path}/{anchor} {what}; {_mended(worker, message, path)}"


def _lost_file(state: State, worker: WorkerRecord, message: wire.WorkerSees) -> str:
    """Which file that settings name a worker does not see, or sees another one of; "" where there is none."""
    if state.storage.references is None:
        return NOT_SHOWN if reference_paths(state) else ""  # settings that named some were taken back
    seen = {one.path: one for one in message.references}
    for path, known in state.storage.references.items():
        if path not in seen:
            return NOT_SHOWN  # it was asked before the scheduler knew of this file
        found = seen[path].size, seen[path].mtime_ns
        if found != (known.size, known.mtime_ns):
            what = "is not there" if found[0] is None else "has another size or time there"
            return f"it does not see a file that settings name: {path} {what}; {_mended(worker, message, path)}"
    return ""
