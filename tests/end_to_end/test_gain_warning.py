"""A session whose gain is set upside down: it says so wherever a user looks, and stops saying so when it is put right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions

RIGHT = "import.gain_flip_x=false import.gain_flip_y=false import.gain_transpose=false"


@pytest.mark.slow
def test_a_gain_set_upside_down(
    up: Callable[..., Any], warpcore: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    data, gains = tmp_path / "data", tmp_path / "gains"
    options = SimulationOptions(frames=6, height=384, width=384, pixel_size_angstrom=2.2, dose_per_frame=3.0)
    simulate_movies(data, 2, options=options, seed=3)
    gains.mkdir()
    gain = (data / "gain.mrc").rename(gains / "gain.mrc")
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
    assert session.stop() == 0
