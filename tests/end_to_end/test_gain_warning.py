"""A session whose gain lies among the movies, set upside down and then put right; later a change and back.

The gain is no movie, the warning is wherever a user looks while it is true, and kept outputs come back as they were.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RIGHT = "import.gain_flip_x=false import.gain_flip_y=false import.gain_transpose=false"
SIMULATED = ("frames=6", "height=384", "width=384", "pixel_size_angstrom=2.2", "dose_per_frame=3.0")


def outputs(processing: Path) -> dict[str, bytes]:
    """Every file among the results, hidden ones too, but for logs and lists, which tell of times."""
    return {
        str(path.relative_to(processing)): path.read_bytes()
        for path in processing.rglob("*")
        if path.is_file()
        and path.relative_to(processing).parts[0] not in (".warpcore", "logs")
        and not (path.parent == processing and path.suffix in (".star", ".json"))
    }


def settled_outputs(processing: Path, wait_until: Callable[..., None]) -> dict[str, bytes]:
    """The outputs once the tracker too has written to them: unchanged for 3 s."""
    seen, since = outputs(processing), time.monotonic()

    def unchanged() -> bool:
        nonlocal seen, since
        now = outputs(processing)
        if now != seen:
            seen, since = now, time.monotonic()
        return time.monotonic() - since > 3

    wait_until(unchanged, 60, "the outputs to stay as they are")
    return seen


@pytest.mark.slow
def test_a_gain_among_the_movies_set_upside_down_and_put_right(
    up: Callable[..., Any], warpcore: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    data = tmp_path / "data"
    options = [part for one in SIMULATED for part in ("--set", one)]
    assert warpcore("simulate", str(data), "-n", "2", "--seed", "3", *options).returncode == 0
    gain = data / "gain.mrc"
    settings = [f"import.gain_path={gain}", "import.gain_flip_y=true", "import.pixel_size=2.2", "ctf.enabled=false"]
    session = up(data, tmp_path / "out", "--workers", "1", *(part for one in settings for part in ("--set", one)))
    wait_until(lambda: session.settled(2), 120, "both movies done")

    def warnings() -> list[str]:
        found: list[str] = session.get("/api/processing/status")["warnings"]
        return found

    wait_until(warnings, 10, "a warning")
    (text,) = warnings()
    assert text.endswith(f"with {RIGHT}")
    control = ["--control-port", session.ports[3]]
    assert f"warning: {text}" in warpcore("status", *control).stdout.splitlines()
    assert text in session.log.read_text()
    (worker,) = session.get("/api/workers")["workers"]
    assert worker["warnings"] == [text]
    lines = session.get(f"/api/workers/{worker['id']}/logs")["lines"]
    assert [line["level"] for line in lines if text in line["text"]] == ["warning"]

    assert warpcore("settings", "set", *RIGHT.split(), *control).returncode == 0
    wait_until(lambda: session.settled(2) and not warnings(), 120, "no warning any more")
    assert sorted(session.items()) == ["movie_0001", "movie_0002"]
    right = settled_outputs(session.processing, wait_until)

    # Most files are the same with a stack and without.
    assert warpcore("settings", "set", "export.stack=true", *control).returncode == 0
    wait_until(lambda: len(outputs(session.processing)) > len(right) and session.settled(2), 120, "the stacks")
    assert warpcore("settings", "set", "export.stack=false", *control).returncode == 0
    wait_until(lambda: outputs(session.processing) == right, 60, "the outputs as they were, and nothing else")
    assert session.stop() == 0
