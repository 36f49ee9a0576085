"""Found against simulated: what the demo's table says."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from warpcore.bus.messages import Movie
from warpcore.cli.comparison import compare, path_length, track_rmse

TRUTH = {
    "defocus_u_angstrom": 12_000.0,
    "defocus_v_angstrom": 11_000.0,
    "track_xy_angstrom": [[0.0, 0.0], [3.0, 4.0], [3.0, 6.0]],
    "particles_xy_px": [[1.0, 2.0], [3.0, 4.0]],
}


def movie(results: dict[str, object], status: str = "processed") -> Movie:
    return Movie(1, "grid1/a", "grid1/a.tif", 1, 1, status, results=results)


def test_results_stand_beside_the_truth(tmp_path: Path) -> None:
    (tmp_path / "motion" / "grid1").mkdir(parents=True)
    track = {"track_angstrom": [[0.0, 0.0], [3.0, 4.0], [3.0, 6.6]]}
    (tmp_path / "motion" / "grid1" / "a.json").write_text(json.dumps(track))
    compared = compare(movie({"ctf": {"defocus_um": 1.16}, "picking": {"count": 3}}), TRUTH, tmp_path)
    assert (compared.defocus_um, compared.true_defocus_um) == (1.16, 1.15)
    assert (compared.drift_angstrom, compared.true_drift_angstrom) == (pytest.approx(7.6), 7.0)
    assert (compared.particles, compared.true_particles) == (3, 2)
    # Differences 0, 0, 0.6 about their mean of 0.2.
    assert compared.drift_rmse_angstrom == pytest.approx(math.sqrt((0.04 + 0.04 + 0.16) / 3))


def test_what_was_not_measured_is_not_told_as_zero(tmp_path: Path) -> None:
    compared = compare(movie({}, "failed"), TRUTH, tmp_path)
    assert compared.status == "failed"
    assert compared.defocus_um is compared.drift_angstrom is compared.drift_rmse_angstrom is compared.particles is None


def test_a_constant_offset_is_no_drift_error() -> None:
    track = [[0.0, 0.0], [1.0, 0.0], [2.0, 1.0]]
    assert track_rmse([[x + 5, y - 3] for x, y in track], track) == pytest.approx(0)
    assert track_rmse(track[:2], track) is None
    assert path_length(track) == pytest.approx(1 + math.sqrt(2))
