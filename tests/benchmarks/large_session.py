"""A session of many processed movies with values as an instrument gives them, made without processing any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from warpcore.bus.vocabulary import MovieStatus, Pauser
from warpcore.services.scheduler.core.effects import CutLog, SaveMovie, SavePaused, SaveSettings
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.rows import movie_row
from warpcore.services.scheduler.store.database import Store
from warpcore.services.session.fingerprints import FingerprintPlan
from warpcore.services.session.settings import Settings, patch_settings

SECONDS_A_MOVIE = 6
FIRST_ACQUIRED_S = 1_767_225_600


def large_session(folder: Path, movies: int) -> tuple[Path, Path]:
    """Data and processing directory of a paused session with so many processed movies; a scheduler can open it."""
    data, processing = folder / "movies", folder / "results"
    data.mkdir()
    state = processing / ".warpcore" / "state.db"
    state.parent.mkdir(parents=True)
    store = Store(state, data_directory=str(data.resolve()), processing_directory=str(processing.resolve()))
    settings = patch_settings(Settings(), {"picking": {"diameter": 150.0}})
    plan = FingerprintPlan(settings)
    store.stage([SaveSettings(settings.to_dict(), 1, "", {}), SavePaused(Pauser.PERSON)])
    for id, results in enumerate(measured(movies), 1):
        hole, second = divmod(id, 5)
        name = f"FoilHole_{31415926 + hole}_Data_{31410000 + second}_{id % 7}_{20260101 + id // 14400}_{id:06d}"
        mtime_ns = (FIRST_ACQUIRED_S + SECONDS_A_MOVIE * id) * 10**9
        record = MovieRecord(id, name, f"{name}.eer", 10**9 + id, mtime_ns, MovieStatus.PROCESSED, results=results)
        record.fingerprints = plan.wanted(record.size, record.mtime_ns)
        store.stage([SaveMovie(movie_row(record))])
    store.stage([CutLog(1)])
    store.commit(FIRST_ACQUIRED_S)
    store.close()
    return data, processing


def measured(movies: int) -> list[dict[str, Any]]:
    """Results of movies by step."""
    rng = np.random.default_rng(11)
    defocus = np.clip(rng.normal(1.4, 0.5, movies), 0.2, 4)
    delta = np.abs(rng.normal(0.02, 0.02, movies))
    drawn = {
        "defocus": defocus,
        "delta": delta,
        "angle": rng.uniform(0, 180, movies),
        "resolution": 2.9 + rng.gamma(2.0, 0.3, movies),
        "merit": np.clip(rng.normal(0.2, 0.05, movies), 0, 1),
        "ice": np.abs(rng.normal(0.4, 0.2, movies)),
        "motion": np.abs(rng.normal(0.4, 0.2, movies)),
        "track": np.abs(rng.normal(12, 5, movies)),
        "particles": rng.poisson(250, movies),
        "junk": rng.gamma(1.0, 3.0, movies),
        "certainty": rng.uniform(0, 1, movies),
    }
    columns = {name: values.tolist() for name, values in drawn.items()}
    return [_results({name: values[place] for name, values in columns.items()}) for place in range(movies)]


def _results(drawn: dict[str, Any]) -> dict[str, Any]:
    half = drawn["delta"] / 2
    return {
        "motion": {
            "skipped": False,
            "mean_frame_movement_angstrom": drawn["motion"],
            "accumulated_total_angstrom": drawn["track"],
            "accumulated_early_angstrom": drawn["track"] * 0.4,
            "accumulated_late_angstrom": drawn["track"] * 0.6,
            "grid": [5, 5, 40],
            "local_grid": [5, 5, 4],
            "failure": None,
        },
        "ctf": {
            "defocus_um": drawn["defocus"],
            "defocus_delta_um": drawn["delta"],
            "defocus_u_angstrom": 1e4 * (drawn["defocus"] + half),
            "defocus_v_angstrom": 1e4 * (drawn["defocus"] - half),
            "defocus_angle_degrees": drawn["angle"],
            "figure_of_merit": drawn["merit"],
            "resolution_angstrom": drawn["resolution"],
            "phase_shift_pi": 0.0,
            "ice_ring": 0.1,
            "ice_thickness": drawn["ice"],
            "failure": None,
        },
        "picking": {
            "method": "blob",
            "shape": None,
            "count": drawn["particles"],
            "certainty": drawn["certainty"],
            "junk_percent": drawn["junk"],
            "score_histogram": [10] * 20,
        },
        "export": {"average": "average/x.mrc", "thumbnail": "thumbnails/x.png"},
        "input": {"frames": 40, "height": 4096, "width": 4096, "pixel_size_angstrom": 0.83, "dose_per_frame": 1.0},
    }
