"""Movies with known motion made of real or random pixels, and ways of putting them into a data directory."""

from __future__ import annotations

import os
import time
from pathlib import Path

import mrcfile
import numpy as np
import tifffile

FALCON_PIXEL_ANGSTROM = 0.6666
FALCON_COUNTS_PER_ELECTRON = 307.0
FALCON_DOSE = 41.2


def write_movie(path: Path, frames: np.ndarray, compression: str | None = "lzw") -> None:
    """Write a TIFF movie as a microscope does: rows bottom up, under a temporary name, renamed when whole."""
    temporary = path.with_name(f".{path.name}.tmp")
    with tifffile.TiffWriter(temporary) as writer:
        for frame in frames:
            writer.write(frame[::-1], compression=compression, photometric="minisblack", contiguous=False)
    temporary.rename(path)


def copy_slowly(source: Path, target: Path, chunks: int, seconds: float) -> int:
    """Copy in chunks straight under the final name, as over a slow network; the epoch time in ns at its end."""
    data = source.read_bytes()
    size = -(-len(data) // chunks)
    with target.open("wb") as out:
        for begin in range(0, len(data), size):
            out.write(data[begin : begin + size])
            out.flush()
            os.fsync(out.fileno())
            time.sleep(seconds / chunks)
    return time.time_ns()


def falcon_electrons(shared_data: Path, size: int = 2048) -> tuple[np.ndarray, float]:
    """The real Falcon image as electrons a pixel, summed 2 × 2 and cut to size², and its pixel size in Å."""
    with mrcfile.open(shared_data / "falcon_micrograph.mrc", permissive=True) as file:
        image = np.asarray(file.data, np.float64)
    electrons = (image / FALCON_COUNTS_PER_ELECTRON).reshape(2048, 2, 2048, 2).sum((1, 3))
    return np.rint(electrons[:size, :size]).astype(np.int64), 2 * FALCON_PIXEL_ANGSTROM


def thinned_movie(electrons: np.ndarray, track_px: np.ndarray, seed: int) -> np.ndarray:
    """Split each pixel's electrons at random over the frames; roll each frame by its whole-pixel (x, y) movement."""
    rng = np.random.default_rng(seed)
    left = electrons.copy()
    frames = np.empty((len(track_px), *electrons.shape), np.uint8)
    for index, (x, y) in enumerate(track_px):
        share = rng.binomial(left, 1.0 / (len(track_px) - index))
        left -= share
        frames[index] = np.roll(share, (y, x), axis=(0, 1))
    return frames


def film_movie(size: int, pixel_size_angstrom: float, defocus_um: float, seed: int, particles: int = 16) -> np.ndarray:
    """6 frames (size², 4 electrons a pixel) of film that stands still with round particles of 136 Å.

    At 300 kV and a Cs of 2.7 mm; made by numpy alone, so that it takes no time.
    """
    rng = np.random.default_rng(seed)
    wavelength_angstrom, cs_angstrom = 0.0197, 2.7e7
    across, along = np.fft.rfftfreq(size, pixel_size_angstrom), np.fft.fftfreq(size, pixel_size_angstrom)
    squared = across**2 + along[:, None] ** 2
    bent = defocus_um * 1e4 - 0.5 * cs_angstrom * wavelength_angstrom**2 * squared
    ctf = np.sin(np.pi * wavelength_angstrom * squared * bent + 0.07)
    spots = np.zeros((size, size))
    spots[tuple(rng.integers(40, size - 40, (2, particles)))] = -6000
    round_136 = np.exp(-2 * (np.pi * 136 / 4) ** 2 * squared)
    film = np.fft.irfft2((np.fft.rfft2(rng.normal(size=(size, size))) + np.fft.rfft2(spots) * round_136) * ctf)
    return rng.poisson(np.maximum(4 * (1 + 0.4 * film / film.std()), 0), (6, size, size)).astype(np.uint8)


def whole_pixel_track(frames: int, seed: int, pixels: int = 8) -> np.ndarray:
    """A slowing drift of about `pixels` px in a random direction with jitter, whole pixels (x, y) a frame, from 0."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi)
    along = pixels * (1 - np.exp(-np.arange(frames) / (frames / 4)))
    track = along[:, None] * [np.cos(angle), np.sin(angle)] + rng.normal(0, 0.5, (frames, 2))
    return np.rint(track - track[0]).astype(int)


def outputs_of(processing: Path) -> dict[str, bytes]:
    """Every output file but logs and the scheduler's own state, by path relative to the processing directory."""
    return {
        str(path.relative_to(processing)): path.read_bytes()
        for path in sorted(processing.rglob("*"))
        if path.is_file() and path.relative_to(processing).parts[0] not in (".warpcore", "logs")
    }
