"""What `warpcore items` prints, from movies with known results."""

from __future__ import annotations

import time
from typing import Any

import pytest

from warpcore.bus.messages import Failure, Movie
from warpcore.cli.errors import CliError
from warpcore.cli.items import chosen_columns, csv_table, movie_rows, reason, step_notes, story_text
from warpcore.cli.output import rows
from warpcore.services.steps.chain import CHAIN

CTF = {"defocus_um": 1.23456, "resolution_angstrom": 3.456, "ice_thickness": 0.4321, "warnings": ["few rings"]}
RESULTS: dict[str, Any] = {"ctf": CTF, "picking": {"count": 12, "junk_percent": 1.0}}


def movie(number: int = 1, **values: Any) -> Movie:
    given = {"status": "processed", "results": RESULTS, **values}
    return Movie(number, f"m{number}", f"m{number}.tif", 1, 1, **given)


def test_main_columns_have_units_in_their_titles_and_a_dash_for_what_was_not_measured() -> None:
    titles, lines = movie_rows([movie(), movie(2, results={})], chosen_columns(None))
    shown = dict(zip(titles, lines[0], strict=True))
    assert (shown["defocus µm"], shown["res. Å"], shown["ice"], shown["particles"]) == ("1.2346", "3.46", "0.432", "12")
    assert shown["why"] == "CTF: few rings"
    assert set(lines[1][2:-1]) == {"-"}


def test_an_event_of_a_movie_is_told_with_its_time_and_place() -> None:
    at = time.mktime((2026, 11, 26, 13, 38, 40, 0, 0, -1))
    text = "processing → failed: input in ctf on host/1: no rings"
    line = {"seq": 4, "at": at, "text": text, "worker": "host/1", "lease": 7, "step": "ctf"}
    assert story_text(line) == f"2026-11-26 13:38:40  {text}  (ctf, lease 7 on host/1)"
    assert story_text({"seq": 1, "at": at, "text": "found"}) == "2026-11-26 13:38:40  found"


def test_columns_are_chosen_by_name_field_heading_or_noun() -> None:
    names = [column.name for column in chosen_columns("ctf.ice_ring, defocus_um, junk, resolution")]
    assert names == ["ctf.ice_ring", "ctf.defocus_um", "picking.junk_percent", "ctf.resolution_angstrom"]
    assert chosen_columns("all") == CHAIN.columns
    for text in ("typo", "", ",", "junk,,defocus"):
        with pytest.raises(CliError, match="there is no column"):
            chosen_columns(text)


def test_csv_has_every_column_and_nothing_for_what_was_not_measured() -> None:
    header, line = csv_table([movie()], chosen_columns(None, everything=True))
    assert header == ["movie", "path", "status", "selection", *(column.name for column in CHAIN.columns), "why"]
    values = dict(zip(header, line, strict=True))
    assert (values["ctf.ice_thickness"], values["ctf.defocus_um"], values["motion.accumulated_total_angstrom"]) == (
        *(0.432, 1.2346),
        None,
    )


def test_a_failure_and_a_filter_say_why_once() -> None:
    failed = movie(status="failed", results={}, failure=Failure("input", "load", "is empty", "h"))
    assert reason(failed) == "load: is empty"
    lost = {"ctf": {"failure": "no rings", "warnings": []}}
    assert step_notes(lost) == ["no CTF fit: no rings"]
    assert reason(movie(results=lost, filter_reasons=["no CTF fit: no rings"])) == "no CTF fit: no rings"


def test_a_time_of_day_is_shown_as_one_and_written_in_seconds() -> None:
    done = CHAIN.column["run.done_at"]
    results = {"run": {"done_at": 1_764_150_955.62}}
    assert (done.title, done.text(results), done.text({})) == ("done UTC", "2025-11-26 09:55:55", "-")
    assert done.rounded(results) == 1_764_150_956


def test_twenty_thousand_movies_are_printed_in_a_moment(capsys: pytest.CaptureFixture[str]) -> None:
    """It took 9 s as a wrapped table; 0.4 s measured, so a limit of 3 s holds on a slow machine too."""
    begun = time.process_time()
    rows(*movie_rows([movie(number) for number in range(20_000)], chosen_columns(None)), wrapped=False)
    assert time.process_time() - begun < 3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20_001
    assert lines[0].split()[:2] == ["movie", "status"]
    assert lines[0].index("defocus µm") + len("defocus µm") == lines[1].index("1.2346") + len("1.2346")
