"""The movies that `write_session` adds without the scheduler are those that it would have made."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from sessions_for_tests import write_session

from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.shell.lock import state_file
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.restoring import restore

COUNT = 150
TIMES = ("found_at", "ready_at", "run", "story")


def restored(folder: Path, registered: int) -> State:
    where = {"data_directory": str(folder), "processing_directory": str(folder / "results")}
    write_session(folder, folder / "results", COUNT, registered=registered)
    store = Store(state_file(folder / "results", None), **where)
    state = restore(store.load(), now=0.0, wall=0.0, **where)
    store.close()
    return state


def movies(state: State) -> list[dict[str, Any]]:
    """All that is stored of each movie except when things happened."""
    return [
        {name: value for name, value in asdict(movie).items() if name not in TIMES} | {"run": sorted(movie.run)}
        for movie in state.movies.values()
    ]


def test_further_movies_are_as_the_scheduler_makes_them(tmp_path: Path) -> None:
    worked, further = restored(tmp_path / "worked", registered=COUNT), restored(tmp_path / "further", registered=50)
    assert movies(further) == movies(worked)
    assert further.counts == worked.counts
    assert {movie.status for movie in further.movies.values()} == {"processed", "filtered_out", "failed"}
    assert further.derived == 0, "the scheduler decides otherwise on them"
