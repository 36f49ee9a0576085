"""What must be true at the end of the soak, and the report of it."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import starfile
from conftest import Up
from movies_for_tests import outputs_of
from soak_movies import LISTS, Microscope, listed
from soak_world import SERVICES

from warpcore.services.tracker.documents import FILTERED_OUT, PROCESSED, UNPROCESSED

MOST_GROWTH_MB = 150.0
"""Above the median of its kind; measured over 8 minutes and 266 movies: compute 55, all others at most 6."""
MOST_TOLD, LONGEST_TOLD = 20, 3000


def movies_of(session: Up) -> list[dict[str, Any]]:
    """All movies, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        page = session.get(f"/api/items?pageSize=500&page={len(found) // 500 + 1}")["items"]
        found += page
        if len(page) < 500:
            return found


def check_movies(session: Up, microscope: Microscope) -> None:
    """Each file is one movie, those that are whole are processed, and the broken ones say that they are."""
    movies = movies_of(session)
    assert Counter(movie["name"] for movie in movies) == Counter(microscope.names), "a movie is lost, or there twice"
    failed = {movie["name"]: movie["failure"] for movie in movies if movie["status"] == "failed"}
    broken = set(microscope.names) - set(microscope.whole)
    assert set(failed) == broken, failed
    assert {failure["kind"] for failure in failed.values()} <= {"input"}, failed


def listing_agrees(session: Up) -> bool:
    """Whether the tracker's lists and STAR files say of every movie what the state says, once each."""
    folder = session.processing
    paths = [row["Path"] for file in LISTS for row in json.loads((folder / file).read_text())]
    movies = {movie["name"]: movie for movie in movies_of(session)}
    rows = listed(folder)
    usual = {"processed": PROCESSED, "filtered_out": FILTERED_OUT, "failed": UNPROCESSED}
    if len(set(paths)) != len(paths) or set(rows) != set(movies):
        return False
    if any(row["ProcessingStatus"] != usual.get(movies[name]["status"]) for name, row in rows.items()):
        return False
    star = starfile.read(folder / "micrographs_ctf.star", always_dict=True)["micrographs"]
    processed = {name: movie for name, movie in movies.items() if movie["status"] == "processed"}
    fitted = [name for name, movie in processed.items() if not movie["results"]["ctf"]["failure"]]
    return sorted(star["rlnMicrographName"]) == sorted(f"average/{name}.mrc" for name in fitted)


def comparable(processing: Path) -> dict[str, bytes | list[bytes]]:
    """All output files; lists of all movies as sorted lines, since movies come in another order in a quiet run."""
    files: dict[str, bytes | list[bytes]] = {}
    for path, content in outputs_of(processing).items():
        is_list = "/" not in path and path.endswith((".json", ".star"))
        files[path] = sorted(line.rstrip(b",") for line in content.split(b"\n")) if is_list else content
    return files


def check_outputs(processing: Path, quiet: Path) -> int:
    """Each output file has the same bytes as in a quiet run, and there is none besides; how many there are."""
    ours, theirs = comparable(processing), comparable(quiet)
    differing = sorted(path for path in ours.keys() | theirs.keys() if ours.get(path) != theirs.get(path))
    assert differing == [], f"{len(differing)} files are not those of a quiet run: {differing[:MOST_TOLD]}"
    return len(ours)


def check_memory(memory_mb: Mapping[str, list[float]]) -> None:
    """No process has grown far beyond others of its kind; those that have just begun are small."""
    for kind, seen in memory_mb.items():
        growth = max(seen) - statistics.median(seen)
        assert growth < MOST_GROWTH_MB, f"{kind} grew by {growth:.0f} MB: {seen}"


def check_logs(session: Up, apart: Path) -> None:
    """No part of the session, nor the worker apart, has met an error that it did not expect. Each service has a log."""
    logs = session.processing / "logs"
    texts = {path.name: path.read_text(errors="replace") for path in (*logs.iterdir(), session.log, apart)}
    assert [name for name in SERVICES if not texts.get(f"{name}.log")] == [], "services whose log is empty"
    met = {name: text.partition("Traceback")[2][:LONGEST_TOLD] for name, text in texts.items() if "Traceback" in text}
    assert met == {}, "logs with a traceback"


def report(
    recoveries: Mapping[str, list[float]], memory_mb: Mapping[str, list[float]], without: Mapping[str, str]
) -> list[str]:
    """The lines of a table of what was done, and of the memory of each kind of process."""
    lines = [f"{'fault':<20} {'times':>5} {'median s':>9} {'slowest s':>10}  until all goes on"]
    for fault, seconds in sorted(recoveries.items()):
        lines.append(f"{fault:<20} {len(seconds):>5} {statistics.median(seconds):>9.1f} {max(seconds):>10.1f}")
    lines += [f"{fault:<20}     -  left out: {why}" for fault, why in sorted(without.items())]
    lines += [f"{'process':<20} {'least MB':>9} {'most MB':>8}"]
    lines += [f"{kind:<20} {min(seen):>9.0f} {max(seen):>8.0f}" for kind, seen in sorted(memory_mb.items())]
    return lines
