"""Runs on an NVIDIA GPU beside each other and beside the CPU, with the real command. `make test-gpu` runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from warpcore.cli.devices import usable_gpus

pytestmark = pytest.mark.gpu

WARPCORE = (sys.executable, "-m", "warpcore.cli.main")
NAMES = ("movie_0001", "movie_0002")
CHUNK_BYTES = 400_000_000
"""Of GPU memory, with which a movie of 24 × 1024² does not stay there."""
IN_CHUNKS = """
import sys
from pathlib import Path

from warpcore.cli.devices import use_device

device = use_device("cuda")
from warpcore.cli.initial_settings import settings_from
from warpcore.kernels.image import device_memory_bytes
from warpcore.services.worker.devices import open_device
from warpcore.services.worker.local import place_outputs
from warpcore.services.worker.local_files import plan_file
from warpcore.services.worker.pipeline import compute, load, stage_outputs
from warpcore.services.worker.caches import cache_directory
from warpcore.services.worker.steps.work import FRAMES

allowed, processing, *paths = sys.argv[1:]
open_device(device, cache_directory())
settings = settings_from(None, [one for one in paths if "=" in one])
for path in (Path(one) for one in paths if "=" not in one):
    share = int(allowed) / device_memory_bytes()
    work = load(plan_file(path, settings, Path(processing)).task, lambda *_: None, share)
    assert not work.take(FRAMES).counts.plan.resident
    place_outputs(work, stage_outputs(compute(work, lambda *_: None), lambda *_: None))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated movies processed twice on the GPU, once there in chunks, and on the CPU: a folder each."""
    if not usable_gpus():
        pytest.skip("no NVIDIA GPU that JAX can use on this host")
    folder = tmp_path_factory.mktemp("gpu")
    # In processes of their own: one that opens the GPU here would keep its memory from those that are tested.
    _run(
        [*WARPCORE, "simulate", str(folder), "--movies", str(len(NAMES)), "--set", "particles=60"], JAX_PLATFORMS="cpu"
    )
    paths = [str(folder / f"{name}.tif") for name in NAMES]
    settings = [f"import.gain_path={folder / 'gain.mrc'}", "import.dose_per_frame=1.5", "picking.diameter=136"]
    settings.append("export.halves=true")
    for name, device in (("gpu", "cuda"), ("again", "cuda"), ("cpu", "cpu")):
        given = [part for one in settings for part in ("--set", one)]
        _run([*WARPCORE, "process", *paths, "--device", device, *given, "--processing", str(folder / name)])
    _run([sys.executable, "-c", IN_CHUNKS, str(CHUNK_BYTES), str(folder / "chunks"), *paths, *settings])
    return folder


def _run(command: list[str], **environment: str) -> None:
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr


def _files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file() and ".warpcore" not in path.parts)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


@pytest.mark.parametrize("other", ["again", "chunks"])
def test_runs_on_one_gpu_are_equal_to_the_byte(folder: Path, other: str) -> None:
    here, there = _files(folder / "gpu"), _files(folder / other)
    assert len(here) > 12 * len(NAMES)
    assert sorted(here) == sorted(there)
    assert [name for name in here if here[name] != there[name]] == []


@pytest.mark.parametrize("name", NAMES)
def test_gpu_and_cpu_agree(folder: Path, name: str) -> None:
    """Measured on an H100: tracks within 0.00007 px, defocus 0.02 Å, correlation 0.99999999, the same picks."""

    def both(relative: str) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
        there, here = (json.loads((folder / form / relative).read_text()) for form in ("gpu", "cpu"))
        return there, here

    there, here = both(f"motion/{name}.json")
    tracks = [np.array(one["tracks_5x5_angstrom"]) / one["pixel_size_angstrom"] for one in (there, here)]
    assert np.abs(tracks[0] - tracks[1]).max() < 0.02
    there, here = both(f"powerspectrum/{name}.json")
    for axis in ("defocus_u_angstrom", "defocus_v_angstrom"):
        assert abs(np.subtract(there[axis], here[axis])) < 5
    for kind in ("average", "average/odd", "average/even"):
        images = [mrcfile.read(folder / form / kind / f"{name}.mrc") for form in ("gpu", "cpu")]
        assert np.corrcoef(images[0].ravel(), images[1].ravel())[0, 1] > 0.99999
    picks = [
        np.array([one[axis] for axis in ("x_px", "y_px", "scores")]) for one in both(f"matching/{name}_picks.json")
    ]
    sure = [one[:, one[2] > 0.52] for one in picks]
    assert sure[1].shape[1] > 20
    for mine, others in (sure, sure[::-1]):
        for x, y, score in mine.T:
            distance = np.hypot(others[0] - x, others[1] - y)
            assert distance.min() < 0.5 or score < 0.54
