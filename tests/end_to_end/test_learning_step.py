"""A site's own step that learns from the first movies, in real sessions: kills, a restart, settings and back."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from movies_for_tests import film_movie, outputs_of, write_movie

PACKAGE = Path(__file__).parent / "level_step"
MOVIES, TEACHERS = 8, 3
PIXEL_ANGSTROM = 1.35
KNOWN = ("--set", f"import.pixel_size={PIXEL_ANGSTROM}", "--set", "ctf.enabled=false")
SET = (*KNOWN, "--set", "filter.motion_max=null")


@pytest.fixture
def data(install: Callable[[Path], None], tmp_path: Path) -> Path:
    """Movies, and the package installed."""
    install(PACKAGE)
    (tmp_path / "movies").mkdir()
    for number in range(1, MOVIES + 1):
        frames = film_movie(256, PIXEL_ANGSTROM, defocus_um=1.5, seed=number, particles=2)
        write_movie(tmp_path / "movies" / f"movie_{number:04d}.tif", frames)
    return tmp_path / "movies"


def learnt(session: Any) -> dict[str, Any]:
    """What the step has learnt, as REST says it."""
    (one,) = session.get("/api/processing/status")["learnt"]
    assert isinstance(one, dict)
    return one


def listed(session: Any) -> bool:
    """Whether the tracker has written every movie's brightness, and what it has written is the last word."""
    path = session.processing / "processed_items.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    results = {item["path"]: item["results"].get("level", {}).get("relative") for item in session.items().values()}
    return len(rows) == MOVIES and all(
        row["ProcessingStatus"] == 1 and row["Brightness"] == round(results[row["Path"]], 4) for row in rows
    )


def done(session: Any) -> int:
    """Tasks that the workers have ended."""
    return sum(worker["done"] for worker in session.get("/api/workers")["workers"])


def relatives(session: Any) -> dict[str, float]:
    """The brightness of each movie."""
    return {name: item["results"]["level"]["relative"] for name, item in session.items().items()}


def quiet_run(session: Any, wait_until: Callable[..., None]) -> dict[str, Any]:
    """A session left alone until all is done; what was learnt."""
    wait_until(lambda: session.settled(MOVIES) and learnt(session)["id"], 240, "all movies, with a choice")
    wait_until(lambda: session.settled(MOVIES) and listed(session), 60, "its lists")
    return learnt(session)


@pytest.mark.timeout(1200)
def test_a_step_learns_from_the_first_movies_and_its_choice_outlives_settings_and_restarts(
    data: Path,
    tmp_path: Path,
    up: Callable[..., Any],
    wait_until: Callable[..., None],
    warpcore: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    session = up(data, tmp_path / "processed", "--workers", "1", *SET)
    first = quiet_run(session, wait_until)
    registered = sorted(session.items().values(), key=lambda item: item["id"])  # examined side by side, so in any order
    assert first["movies"] == [item["name"] for item in registered[:TEACHERS]]
    means = {name: relative * level_of(session) for name, relative in relatives(session).items()}
    # The file holds six decimals of a ratio near 1, so a mean of about 20 is known to 1e-5.
    assert level_of(session) == pytest.approx(statistics.median(means[name] for name in first["movies"]), abs=1e-4)
    assert {item["results"]["level"]["choice"] for item in session.items().values()} == {first["id"]}
    assert not [item for item in session.items().values() if "evidence" in item["results"]["level"]]

    port = session.ports[session.ports.index("--control-port") + 1]
    told = warpcore("status", "--control-port", port).stdout
    assert f"level has learnt from {TEACHERS} movies: {first['text']}" in told
    assert f"level goes by {first['text']} (choice {first['id']}" in warpcore("items", *names(port)).stdout
    said = f"level has learnt from {TEACHERS} movies: {first['text']}"
    wait_until(lambda: said in session.log.read_text(), 30, "what `up` says of it")

    before = relatives(session)
    session.http.patch("/api/settings", json={"level": {"scale": 2.0}}).raise_for_status()
    wait_until(lambda: session.settled(MOVIES) and min(relatives(session).values()) > 1.5, 120, "another scale")
    wait_until(lambda: session.settled(MOVIES) and learnt(session)["id"], 120, "its own choice")
    ran = done(session)
    session.http.patch("/api/settings", json={"level": {"scale": 1.0}}).raise_for_status()
    wait_until(lambda: session.settled(MOVIES) and relatives(session) == before, 60, "the kept outputs")
    assert (learnt(session), done(session)) == (first, ran)
    assert session.stop() == 0

    again = up(data, tmp_path / "processed", "--workers", "1", *SET)
    wait_until(lambda: len(again.get("/api/workers")["workers"]) == 1, 60, "its worker")
    assert learnt(again) == first
    assert (relatives(again), done(again)) == (before, 0)
    assert set(again.statuses().values()) == {"processed"}
    assert again.stop() == 0


def names(port: str) -> list[str]:
    """A movie that came after the choice, and where to ask for it."""
    return [f"movie_{MOVIES:04d}", "--control-port", port]


def level_of(session: Any) -> float:
    """The level that all movies are compared with."""
    (level,) = {item["results"]["level"]["level"] for item in session.items().values()}
    assert isinstance(level, float)
    return level


@pytest.mark.slow
def test_without_services_each_movie_goes_by_itself(
    data: Path, tmp_path: Path, warpcore: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    movies = [str(data / f"movie_{number:04d}.tif") for number in range(1, TEACHERS + 2)]
    options = ("--processing", str(tmp_path / "alone"), *KNOWN, "--json")
    outcomes = json.loads(warpcore("process", *movies, *options).stdout)
    results = [outcome["results"]["level"] for outcome in outcomes]
    assert {one["relative"] for one in results} == {1.0}
    assert len({one["level"] for one in results}) == len(movies)
    assert not [one for one in results if "evidence" in one]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_while_it_learns_change_no_byte(
    data: Path, tmp_path: Path, up: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    asked = ("--workers", "2", *SET, "--set", f"level.movies={MOVIES}")
    calm = up(data, tmp_path / "calm", *asked)
    first = quiet_run(calm, wait_until)
    assert calm.stop() == 0

    stormy = up(data, tmp_path / "stormy", *asked)

    def killed(what: str, *words: str) -> None:
        pids = stormy.pids(*words)
        assert pids, f"no {what} found"
        os.kill(pids[0], signal.SIGKILL)
        wait_until(lambda: set(stormy.pids(*words)) - set(pids), 60, f"a new {what}")

    wait_until(lambda: told_so_far(stormy) >= 1, 120, "a movie with evidence")
    killed("scheduler", "warpcore.cli.main", "scheduler")
    wait_until(stormy.answers, 60, "the scheduler")
    assert told_so_far(stormy) < MOVIES, "it was killed before the choice"
    wait_until(lambda: told_so_far(stormy) >= 2, 120, "two movies with evidence")
    killed("compute process", "warpcore.services.worker.compute")
    wait_until(lambda: told_so_far(stormy) == MOVIES, 120, "the choice")
    killed("scheduler", "warpcore.cli.main", "scheduler")
    killed("nanny", "warpcore.cli.main", "worker")
    assert quiet_run(stormy, wait_until) == first
    assert stormy.stop() == 0
    before, after = outputs_of(tmp_path / "calm"), outputs_of(tmp_path / "stormy")
    assert set(before) == set(after)
    assert [name for name in before if before[name] != after[name]] == []


def told_so_far(session: Any) -> int:
    """How many movies the step has to go by; 0 while nothing answers."""
    try:
        return len(learnt(session)["movies"])
    except httpx.HTTPError:
        return 0
