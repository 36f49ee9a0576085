"""Movies for the soak: each one differs from all others, and keeps coming as long as few wait."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from movies_for_tests import write_movie

from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.services.tracker.documents import UNPROCESSED

SETTINGS = (
    "import.pixel_size=2.2",
    "import.dose_per_frame=3",
    'import.patterns=["*.tif"]',
    "filter.resolution_max=null",
    "filter.motion_max=null",
    "picking.method=blob",
    "picking.diameter=130",
)
FIRST = 8
"""So many are there before a session begins, from which it learns how to pick: in any session of them the same."""
EVERY_S, MOST_WAITING = 1.5, 6
BROKEN_ONE_IN = 20
DIFFERENT = 4
HALF_WRITTEN_S = 0.3
"""So long a file that is replaced stands still half written: as long as the discoverer waits for a change."""
LISTS = ("processed_items.json", "failed_items.json")


class Microscope(threading.Thread):
    """Writes `m00000.tif` and so on into `data` until `stop`; each `BROKEN_ONE_IN`th one is cut off.

    It waits while `MOST_WAITING` are not in the lists in `processing` yet.
    """

    def __init__(self, data: Path, processing: Path, simulated: Path) -> None:
        super().__init__(daemon=True)
        self._data, self._processing = data, processing
        self.aside = data / ".aside"
        """Hidden, and on the same file system: where files become whole, and where removed ones wait."""
        self._ends = threading.Event()
        self.written = 0
        self.aside.mkdir()
        self._frames = _simulated(simulated)
        for _ in range(FIRST):
            self._write_next()

    def run(self) -> None:
        while not self._ends.wait(EVERY_S):
            if self.written - len(listed(self._processing)) < MOST_WAITING:
                self._write_next()

    def stop(self) -> None:
        """Write no more."""
        self._ends.set()
        self.join()

    @property
    def names(self) -> list[str]:
        """All movies so far."""
        return [name(number) for number in range(self.written)]

    @property
    def whole(self) -> list[str]:
        """Those that can be processed."""
        return [name(number) for number in range(self.written) if not is_broken(number)]

    def path(self, movie: str) -> Path:
        """The file of a movie."""
        return self._data / f"{movie}.tif"

    def replace(self, movie: str) -> None:
        """Write other pixels into a movie's file, in place, with a pause in the middle."""
        self._write(self.aside / "new.tif", number_of(movie) + 1000)
        content = (self.aside / "new.tif").read_bytes()
        half = len(content) // 2
        with self.path(movie).open("r+b", buffering=0) as file:
            file.truncate(0)
            file.write(content[:half])
            time.sleep(HALF_WRITTEN_S)  # not a wait for something: the pause is what is tried
            file.write(content[half:])

    def remove(self, movie: str) -> None:
        """Take a movie away."""
        self.path(movie).rename(self.aside / f"{movie}.tif")

    def bring_back(self, movie: str) -> None:
        """Put it there again, as a new file of now."""
        os.utime(self.aside / f"{movie}.tif")
        (self.aside / f"{movie}.tif").rename(self.path(movie))

    def _write_next(self) -> None:
        whole = self.aside / f"{name(self.written)}.tif"
        self._write(whole, self.written)
        if is_broken(self.written):
            os.truncate(whole, whole.stat().st_size // 2)
        whole.rename(self.path(name(self.written)))
        self.written += 1

    def _write(self, path: Path, number: int) -> None:
        """Frames that no other number has."""
        frames = self._frames[number % DIFFERENT]
        write_movie(path, np.roll(frames, (number % 97, number // 97 % 89), axis=(1, 2)))


def name(number: int) -> str:
    """The name of a movie."""
    return f"m{number:05d}"


def number_of(movie: str) -> int:
    """The number of a movie."""
    return int(movie.removeprefix("m"))


def is_broken(number: int) -> bool:
    """Whether the file of this movie is cut off."""
    return number % BROKEN_ONE_IN == BROKEN_ONE_IN - 1


def listed(processing: Path) -> dict[str, dict[str, Any]]:
    """The movies in the tracker's two lists, by name; those without results are left out."""
    rows: dict[str, dict[str, Any]] = {}
    for file in LISTS:
        try:
            content = json.loads((processing / file).read_text())
        except OSError:
            continue
        known = [row for row in content if row["ProcessingStatus"] != UNPROCESSED or "Error" in row]
        rows |= {row["Path"].removesuffix(".tif"): row for row in known}
    return rows


def _simulated(folder: Path) -> list[np.ndarray]:
    """A few small movies of real particles: frames × height × width."""
    options = SimulationOptions(
        frames=6, height=320, width=320, pixel_size_angstrom=2.2, dose_per_frame=3.0, particles=10, gain=False
    )
    simulate_movies(folder, DIFFERENT, options=options, seed=3)
    return [tifffile.imread(path) for path in sorted(folder.glob("*.tif"))]
