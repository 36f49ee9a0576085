"""The demo, and the same movies without services: what is found agrees with what was simulated."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]


def warpcore(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*WARPCORE, *arguments], capture_output=True, text=True, timeout=280, check=False)


@pytest.mark.slow
def test_the_demo_finds_what_it_simulated_and_process_writes_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = warpcore("demo", "--movies", "2", "--folder", str(folder), "--workers", "2")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("movie_")]
    assert [row[0] for row in rows] == ["movie_0001", "movie_0002"]
    for _, status, defocus, _, true_defocus, drift, _, true_drift, rmse, particles, _, true_particles in rows:
        assert status == "processed"
        # Measured on seed 0: defocus within 0.001 µm, drift RMSE 0.19 to 0.24 Å, 50 to 54 of 50 particles.
        assert abs(float(defocus) - float(true_defocus)) < 0.01
        assert abs(float(drift) - float(true_drift)) < 4
        assert float(rmse) < 0.5
        assert abs(int(particles) - int(true_particles)) <= 10
    assert str(folder / "results") in done.stdout
    assert "the page was at http://127.0.0.1:" in done.stdout

    movie = folder / "movies" / "movie_0001.tif"
    truth = json.loads(movie.with_suffix(".truth.json").read_text())
    done = warpcore(
        *("process", str(movie), "--processing", str(tmp_path / "alone"), "--json"),
        *("--set", f"import.gain_path={folder / 'movies' / 'gain.mrc'}"),
        *("--set", f"import.dose_per_frame={truth['options']['dose_per_frame']}"),
        *("--set", f"picking.diameter={round(truth['diameter_angstrom'])}"),
    )
    assert done.returncode == 0, done.stderr
    (outcome,) = json.loads(done.stdout)
    assert outcome["status"] == "processed"
    assert outcome["results"]["ctf"]["defocus_um"] == pytest.approx(float(rows[0][2]), abs=1e-3)
    for output in ("average/movie_0001.mrc", "motion/movie_0001.json"):
        assert (tmp_path / "alone" / output).read_bytes() == (folder / "results" / output).read_bytes()
