"""Log events as JSON: what they hold, and that no disk and no text ends the process that logs."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warpcore.services.process import logs
from warpcore.services.process.logs import JsonFormatter, TextFormatter, about, always, cut, read_event


def logged(text: str, *arguments: object, **options: Any) -> dict[str, Any]:
    """The object that an event becomes."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(JsonFormatter().format(record))

    logger = logging.getLogger("test.logs")
    logger.propagate = False
    logger.addHandler(handler := Kept())
    try:
        logger.warning(text, *arguments, **options)
    finally:
        logger.removeHandler(handler)
    (line,) = lines
    assert "\n" not in line
    found = json.loads(line)
    assert isinstance(found, dict)
    return found


def test_an_event_is_one_object_with_what_it_concerns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_always", {})
    always(worker="host/1")
    with about(movie="a", lease=7):
        event = logged('a "quoted" word\nand %s', "a line", extra={"step": "ctf", "lease": 8})
    at = event.pop("time")
    assert at.endswith("Z")
    assert event == {
        **{"level": "warning", "logger": "test.logs", "message": 'a "quoted" word\nand a line'},
        **{"movie": "a", "lease": 8, "worker": "host/1", "step": "ctf"},
    }
    assert "movie" not in logged("later")


def test_what_is_logged_in_another_thread_concerns_nothing_of_this_one() -> None:
    found: list[dict[str, Any]] = []
    with about(movie="a"):
        thread = threading.Thread(target=lambda: found.append(logged("elsewhere")))
        thread.start()
        thread.join()
    assert "movie" not in found[0]


def test_an_event_that_is_read_back_is_the_same() -> None:
    try:
        raise ValueError("no")
    except ValueError:
        event = logged("it failed", exc_info=True, extra={"movie": "a"})
    record = read_event(json.dumps(event))
    assert record is not None
    assert record.getMessage().startswith("it failed\nTraceback")
    again = json.loads(JsonFormatter().format(record))
    assert {name: again[name] for name in ("time", "level", "logger", "movie")} == {
        name: event[name] for name in ("time", "level", "logger", "movie")
    }


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.text() | st.fixed_dictionaries(dict.fromkeys(("time", "level", "logger", "message"), _JSON)).map(json.dumps))
def test_any_line_is_an_event_or_none(line: str) -> None:
    event = read_event(line)
    assert event is None or JsonFormatter().format(event)


def test_a_full_disk_prints_no_traceback_and_ends_nothing() -> None:
    code = """
import logging, os
from warpcore.services.process.logs import log_to_stderr
log_to_stderr()
logging.getLogger().handlers[0].setStream(open("/dev/full", "w"))
logging.error("lost")
os._exit(7)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize("formatter", [TextFormatter(logs.TEXT), JsonFormatter()])
@pytest.mark.parametrize("text", ["*.tif, " * 200_000, "line\n" * 200_000, "x" * 1_000_000, "\n" * 1_000_000])
def test_values_from_elsewhere_make_no_endless_events(formatter: logging.Formatter, text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        error = sys.exc_info()
    record = logging.LogRecord("name", logging.ERROR, __file__, 1, "begin %s the end", (text,), error)
    told = formatter.format(record)
    assert "begin" in told
    assert "characters more" in told
    assert len(told) < 5 * logs.LONGEST_EVENT
    if isinstance(formatter, TextFormatter):
        assert max(map(len, told.split("\n"))) <= logs.LONGEST_LINE


@given(st.text(max_size=80), st.integers(0, 100))
def test_what_is_cut_keeps_its_begin_and_its_end(text: str, longest: int) -> None:
    told = cut(text, longest)
    assert told[:1] == text[:1]
    assert told[-1:] == text[-1:]
    assert len(told) <= max(longest, 40)
    assert told == text or len(text) > longest
