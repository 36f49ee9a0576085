"""What a session shows, as text."""

from __future__ import annotations

import io
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from warpcore.bus.messages import Alarm, Failure, Learnt, Load, Movie, ProcessingStatus, StageTime, Try, Worker
from warpcore.bus.vocabulary import Severity, Throttling, TryState
from warpcore.cli.display import rendered
from warpcore.cli.items import reason
from warpcore.cli.logs import is_urgent
from warpcore.cli.overview import Overview, duration, lines, load_text
from warpcore.cli.screens import LastingScreen, PlainScreen
from warpcore.cli.tap import event_line

RUNNING = [{"movie": "grid1/b", "worker": "host/1", "step": "motion", "fraction": 0.4, "lease": 3}]


def overview(alarms: list[Alarm] | None = None, **changes: Any) -> Overview:
    values: dict[str, Any] = {
        "is_processing": True,
        "counts": {"processed": 5, "filtered_out": 1, "failed": 1, "processing": 1, "queued": 2, "outdated": 0},
        "total": 10,
        "left": 2,
        "rate_per_hour": 120.0,
        "rate_window_s": 600.0,
        "workers": 1,
        "running": RUNNING,
        "seq": 9,
        "data_directory": "/data",
        "processing_directory": "/results",
    }
    worker = Worker("host/1", "host", 7, "cpu", 100, {}, "busy", ["grid1/b"], done=6, failed=1)
    failed = Movie(1, "a", "a.tif", 1, 1, "failed", failure=Failure("input", "load", "a.tif: truncated", "host"))
    return Overview(ProcessingStatus(**{**values, **changes}), [worker], [failed], alarms or [])


def drawn(width: int = 100, **changes: Any) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(rendered(overview(**changes), "a note"))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_the_display_shows_counts_rate_workers_and_failures() -> None:
    text = drawn()
    for part in (
        "7 of 10 movies",
        "120 movies/h, 60 s left",
        "5 processed",
        "1 filtered out",
        "host/1",
        "motion",
        "grid1/b",
    ):
        assert part in text, part
    assert "a: input in load: a.tif: truncated" in text
    assert "a note" in text
    assert "outdated" not in text


def test_the_display_fits_a_small_terminal() -> None:
    assert all(len(line) <= 40 for line in drawn(40).splitlines())


def test_one_sentence_on_how_it_goes_comes_first() -> None:
    summary = "well: 212 movies in the last hour, median 3.4 Å; one alarm: ice ring"
    assert lines(overview(summary=summary))[0] == summary
    assert drawn(100, summary=summary).startswith(summary)


def test_the_status_as_lines_says_the_same() -> None:
    text = "\n".join(lines(overview(is_processing=False)))
    assert text.startswith(
        "paused: 7 of 10 movies done (5 processed, 1 filtered out, 1 failed, 1 processing, 2 queued)"
    )
    assert "worker host/1: busy, cpu, 6 done, 1 failed: grid1/b motion 40%" in text
    assert "failed: a: input in load: a.tif: truncated" in text


def test_the_status_says_how_long_after_a_file_its_results_come() -> None:
    latency = [StageTime("load", 1.0, 2.0, 100), StageTime("latency", 11.8, 130.0, 100)]
    told = "results: 12 s after a file is there, for nine of ten within 2 min (the last 100 movies)"
    assert [line for line in lines(overview(latency=latency)) if line.startswith("results")] == [told]
    assert not any(line.startswith("results") for line in lines(overview()))


def test_what_is_known_of_a_gpu_is_told_and_nothing_else() -> None:
    assert load_text(Load(900)) == ""
    assert load_text(Load(gpu_utilisation_percent=0, gpu_ecc_uncorrected=0, gpu_throttling=[])) == "GPU 0 %"
    full = Load(900, 10035, 61, 93, 310, 5, 2, [Throttling.HEAT, Throttling.POWER_CAP])
    told = "GPU 93 %, 9.8 GiB, 61 °C, 310 W, 2 memory errors, slowed down by heat and power cap"
    assert load_text(full) == told
    idle = Worker("w", "host", 7, "NVIDIA H100 (cuda:0)", 100, {}, "idle", load=full)
    assert told in lines(Overview(overview().status, [idle], [], []))[2]


def test_alarms_stand_in_both_until_someone_has_seen_them() -> None:
    wrong = Alarm("warning:g", Severity.WARNING, "host/1", "gain g.mrc: it lies in the wrong orientation", 1.0)
    lost = Alarm("no-worker:workers", Severity.CRITICAL, "workers", "7 movies wait and no worker runs; start one", 2.0)
    told = [f"{one.severity}: {one.text}" for one in (wrong, lost)]
    assert [line for line in lines(overview([wrong, lost])) if line in told] == told
    assert all(f"! {one.text}" in drawn(alarms=[wrong, lost]) for one in (wrong, lost))
    seen = replace(lost, acknowledged=True)
    assert [line for line in lines(overview([wrong, seen])) if line in told] == told[:1]
    assert lost.text not in drawn(alarms=[seen])


def test_what_is_no_alarm_stands_in_the_status_as_a_note() -> None:
    seen = Alarm("warning:g", Severity.WARNING, "host/1", "gain g.mrc: it is flat", 1.0, acknowledged=True)
    aside = "averages of movies are not taken: a.mrc (one frame beside a.tif)"
    told = lines(overview([seen], warnings=[seen.text, aside], notes=[aside]))
    assert [line for line in told if seen.text in line or aside in line] == [f"note: {aside}"]


@pytest.mark.parametrize(
    ("learnt", "text"),
    [
        (Learnt("picking", 8, ["a", "b"]), "picking learns from the first 8 movies: 2 so far"),
        (Learnt("picking", 8, ["a"] * 8, "3f", "rings"), "picking has learnt from 8 movies: rings"),
        (
            Learnt("picking", 8, ["a"] * 8, "", "KeyError: 'ring'", failed=True),
            "picking could not learn, each movie goes by itself: KeyError: 'ring'",
        ),
    ],
)
def test_what_steps_learn_stands_in_both(learnt: Learnt, text: str) -> None:
    assert text in lines(overview(learnt=[learnt]))
    assert text in drawn(learnt=[learnt])


def test_without_a_measured_rate_there_is_no_guess() -> None:
    assert overview(rate_per_hour=None).left_s is None
    assert overview(rate_per_hour=0.0, reruns_per_hour=720.0).left_s == 10
    assert "0 movies/h, 720 reruns/h, 10 s left" in drawn(120, rate_per_hour=0.0, reruns_per_hour=720.0)
    assert "no movie done yet" in drawn(rate_per_hour=None)


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (89, "89 s"), (720, "12 min"), (12_000, "3 h 20 min")])
def test_durations_are_told_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_plain_output_is_one_line_a_change() -> None:
    console = Console(file=io.StringIO(), width=60)
    screen = PlainScreen(console)
    for _ in range(3):
        screen.show(overview(), "page at http://127.0.0.1:5000")
    screen.show(overview(total=11), "page at http://127.0.0.1:5000")
    screen.line("worker-1", "[bold]not markup[/bold] " + "x" * 100, False)
    printed = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.partition("| ")[0].strip() for line in printed] == ["up", "up", "up", "worker-1"]
    assert printed[3].endswith("[bold]not markup[/bold] " + "x" * 100)


def test_a_closed_terminal_does_not_end_a_session() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    screen = LastingScreen(PlainScreen(Console(file=Gone())))
    with screen:
        screen.line("up", "ending", False)
        screen.show(overview(), "ending")


@pytest.mark.parametrize(
    ("line", "urgent"),
    [
        ("2026-11-22 15:51:16,957 INFO warpcore.worker: serves", False),
        ("2026-11-22 15:51:16,957 WARNING warpcore.worker: careful", True),
        ("2026-11-22 15:51:16,957 INFO warpcore.worker: no ERROR here", False),
        ("Traceback (most recent call last):", True),
    ],
)
def test_warnings_and_worse_are_urgent(line: str, urgent: bool) -> None:
    assert is_urgent(line) is urgent


def test_every_kind_of_event_is_told_in_one_line() -> None:
    from warpcore.bus.envelope import Envelope
    from warpcore.bus.messages import EVENT_BODIES, ExportJob

    movie = overview().failures[0].to_body()
    worker = overview().workers[0].to_body()
    job = ExportJob("j1", "particles", "running", 3, 1, 0, {}).to_body()
    bodies: dict[str, dict[str, Any]] = {
        "movie": {"movie": movie, "previous": "processing"},
        "task": {"movie": "a", "lease": 1, "worker": "host/1", "step": "ctf", "fraction": 0.25, "message": "fit"},
        "worker": {"worker": worker},
        "settings": {"settings": {}, "revision": 2, "changed": ["ctf.cs"]},
        "processing": {"paused": True},
        "export": {"job": job},
        "learning": {"learnt": Learnt("picking", 8, ["a"], "3f", "rings").to_body()},
        "alarm": {"alarm": Alarm("no-worker:workers", Severity.CRITICAL, "workers", "no worker runs", 1.0).to_body()},
        "try": {"attempt": Try("try-812", "a", TryState.RUNNING, {}, ".warpcore/tries/try-812", 1.0, "ada").to_body()},
        "file": {"path": "a.tif", "detail": "growing"},
        "service": {"service": "tracker", "host": "host", "pid": 7, "detail": ""},
    }
    told = {}
    for topic in EVENT_BODIES:
        body = bodies[topic.partition(".")[0]]
        if topic == "worker.log":
            body = {"worker": "host/1", "lines": [{"level": "info", "text": "hello", "ts": 0.0}]}
        told[topic] = event_line(Envelope(topic, body, "test", seq=12))
        assert topic in told[topic]
        assert "\n" not in told[topic]
    assert "a: processing → failed: a.tif: truncated" in told["movie.failed"]
    assert "a ctf 25% on host/1 fit" in told["task.progress"]
    assert "hello" in told["worker.log"]
    assert "#12" in told["export.done"]
    assert "1 of 3" in told["export.done"]
    assert "picking: rings" in told["learning.done"]
    assert "critical: no worker runs" in told["alarm.raised"]
    assert "a try-812: running" in told["try.started"]


def test_the_list_says_what_a_ctf_fit_says_against_itself() -> None:
    edge = {"failure": None, "warnings": ["defocus 0.51 µm is at the edge of the search range 0.5 to 5 µm"]}
    assert reason(Movie(1, "a", "a.tif", 1, 1, "processed", results={"ctf": edge})) == f"CTF: {edge['warnings'][0]}"
    lost = {"failure": "no rings", "warnings": []}
    movie = Movie(1, "a", "a.tif", 1, 1, "processed", results={"ctf": lost})
    assert reason(movie) == "no CTF fit: no rings"
    filtered = Movie(
        1, "a", "a.tif", 1, 1, "filtered_out", filter_reasons=["no CTF fit: no rings"], results={"ctf": lost}
    )
    assert reason(filtered) == "no CTF fit: no rings"
