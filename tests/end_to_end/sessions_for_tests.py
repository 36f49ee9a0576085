"""Sessions with any number of finished movies, made by the scheduler's own decisions: no file is processed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.services.reports import whole
from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import FailureKind, MovieStatus
from warpcore.services.scheduler.core.effects import Effect, PlaceOutputs, SaveMovie, Send
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.rows import movie_row
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import ChangeSettings, FromControl, FromWorker, OutputsPlaced, Stimulus
from warpcore.services.scheduler.shell.lock import state_file
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore
from warpcore.services.session.settings import patch_settings

REGISTERED = 400
"""So many movies the scheduler takes through their lives; all further ones get the rows that these would have."""
SECONDS_APART = 9
FIRST_S = 1_760_000_000
"""When the first movie was acquired, seconds since 1970."""
SETTINGS: dict[str, dict[str, Any]] = {"picking": {"diameter": 140.0}}
WORKER = "w"


def write_session(data: Path, processing: Path, count: int, seed: int = 1, registered: int = REGISTERED) -> None:
    """A session's database with `count` movies, all processed or filtered out, a few failed.

    Their values vary as those of a real session: slowly along it, with some bad movies. They were done one after the
    other, the last one now.
    """
    where = {"data_directory": str(data), "processing_directory": str(processing)}
    path = state_file(processing, None)
    path.parent.mkdir(parents=True, exist_ok=True)
    store = Store(path, **where)
    state = restore(store.load(), now=0.0, wall=0.0, **where)
    results = _Results(count, seed)
    state.wall = time.time() - count * SECONDS_APART
    _do(state, store, ChangeSettings(patch_settings(state.settings, SETTINGS), ""))
    files = [_file(number) for number in range(count)]
    _do(state, store, FromControl(wire.RegisterFiles(files[:registered])))
    _do(state, store, FromWorker(b"w", wire.RegisterWorker(WORKER, "i", "host", 1, "gpu", 0, {})))
    _work(state, store, results)
    _do(state, store, FromWorker(b"w", wire.Goodbye(WORKER)))
    if count > registered:
        store.stage(SaveMovie(movie_row(movie)) for movie in _further(state, results, files[registered:]))
        state.cut_log()
        store.stage(state.effects)
    store.commit()
    store.close()


def _file(number: int) -> wire.FoundFile:
    return wire.FoundFile(f"grid/m{number:06d}.tif", 10**8 + number, (FIRST_S + number * SECONDS_APART) * 10**9)


def _do(state: State, store: Store, stimulus: Stimulus) -> list[Effect]:
    effects = handle(state, stimulus, time.monotonic(), state.wall)
    store.stage(effects)
    for effect in [effect for effect in effects if isinstance(effect, PlaceOutputs)]:
        effects += _do(state, store, OutputsPlaced(effect.lease, []))
    return effects


def _work(state: State, store: Store, results: _Results) -> None:
    """Pull and finish tasks until none is left."""
    waiting = _do(state, store, FromWorker(b"w", wire.PullTasks(WORKER, 2)))
    while waiting:
        tasks = [effect.message for effect in waiting if isinstance(effect, Send)]
        waiting = []
        for task in tasks:
            if isinstance(task, wire.AssignTask):
                waiting += _do(state, store, FromWorker(b"w", results.of(task)))


def _further(state: State, results: _Results, files: list[wire.FoundFile]) -> Iterator[MovieRecord]:
    """The movies of further files, as if the worker had carried out their tasks too: the scheduler judges them."""
    failed = next(movie for movie in state.movies.values() if movie.status == MovieStatus.FAILED)
    done = next(movie for movie in state.movies.values() if movie.results)
    for id, file in enumerate(files, start=len(state.movies) + 1):
        name = file.path.removesuffix(".tif")
        like = failed if results.fails(name) else done
        movie = replace(like, id=id, name=name, path=file.path, size=file.size, mtime_ns=file.mtime_ns, founded_group=0)
        wanted = state.wanted(movie)
        if movie.failure is not None:
            movie.failed_wanted = wanted[movie.failure.step]
        else:
            movie.results, movie.fingerprints = results.summaries(name), wanted
            movie.run = _later(like.run, (id - like.id) * SECONDS_APART)
            movie.run["age_s"] = round(movie.run["done_at"] - file.mtime_ns / 1e9, 3)
            state.derive(movie)
        yield movie


def _later(run: dict[str, Any], seconds: float) -> dict[str, Any]:
    """The same run so many seconds later."""
    return {name: value + seconds if name.endswith("_at") else value for name, value in run.items()}


class _Results:
    """What the worker reports of each movie."""

    def __init__(self, count: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        along = np.linspace(0, 1, count)
        self._defocus = 1.4 + 0.5 * np.sin(along * 12) + 0.25 * random.standard_normal(count)
        self._resolution = 3.1 + 0.5 * along + random.gamma(1.2, 0.5, count)
        self._motion = 4 + 12 * random.gamma(2.0, 0.3, count)
        self._ice = np.abs(0.15 + 0.1 * along + 0.05 * random.standard_normal(count))
        self._junk = random.gamma(0.7, 3.0, count)
        self._picks = random.poisson(260, count)

    def fails(self, name: str) -> bool:
        """Whether the movie of this name cannot be read."""
        return _number(name) % 37 == 36

    def of(self, task: wire.AssignTask) -> wire.Message:
        """The end of a task."""
        if self.fails(task.name):
            return wire.TaskFailed(WORKER, task.lease, FailureKind.INPUT, "motion", "the file ends early")
        summaries = self.summaries(task.name)
        return wire.TaskFinished(WORKER, task.lease, task.run, {step: summaries[step] for step in task.run}, {})

    def summaries(self, name: str) -> dict[str, Any]:
        """The results of all steps for the movie of this name."""
        number = _number(name)
        defocus, astigmatism = float(self._defocus[number]), 0.02 + 0.004 * (number % 9)
        motion = float(self._motion[number])
        measured = {
            "motion": {
                "skipped": False,
                "mean_frame_movement_angstrom": round(motion / 20, 3),
                "accumulated_total_angstrom": round(motion, 2),
                "accumulated_early_angstrom": round(motion * 0.4, 2),
                "accumulated_late_angstrom": round(motion * 0.6, 2),
            },
            "ctf": {
                "defocus_um": round(defocus, 4),
                "defocus_delta_um": astigmatism,
                "defocus_u_angstrom": round((defocus + astigmatism / 2) * 1e4, 1),
                "defocus_v_angstrom": round((defocus - astigmatism / 2) * 1e4, 1),
                "defocus_angle_degrees": float(number * 7 % 180),
                "figure_of_merit": 0.12,
                "resolution_angstrom": round(float(self._resolution[number]), 2),
                "ice_ring": round(float(self._ice[number]) / 3, 3),
                "ice_thickness": round(float(self._ice[number]), 3),
                "failure": None,
            },
            "picking": {
                "count": int(self._picks[number]),
                "certainty": 0.97,
                "junk_percent": round(float(min(self._junk[number], 90.0)), 2),
            },
            "export": {"average": None, "thumbnail": None},
        }
        return whole(measured)


def _number(name: str) -> int:
    """The place of a movie in the session, from 0."""
    return int(name.rpartition("m")[2])
