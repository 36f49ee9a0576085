"""Large movies for the device's benchmarks, made on the machine that runs them.

`python -m tests.benchmarks.device_movies eer MOVIE.tif OUT.eer` turns the counts of a simulated movie into events of
25 times as many raw frames of 4096²; `… twice MOVIE.tif OUT.mrc` makes a movie of twice the frames; `… super OUT.mrc`
writes packed 4-bit super-resolution frames that show a moving texture.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from tests.services.movie_files import eer_code, write_eer_pages, write_raw_mrc
from warpcore.services.readers.movies import read_movie
from warpcore.services.session.settings import ImportSettings

RAW_PER_FRAME = 25
FALCON = 4096
SUPER = (8184, 11520)


def eer_of_movie(source: Path, path: Path) -> None:
    """Each electron goes to one of the 25 raw frames of its frame; a second one in a pixel of a raw frame is lost."""
    frames = (_square(frame) for frame in read_movie(source, ImportSettings()).frames)
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("fork")) as pool:
        pages = pool.map(_raw_frames, frames, itertools.count())
        write_eer_pages(path, [page for group in pages for page in group], (FALCON, FALCON))


def _square(frame: np.ndarray) -> np.ndarray:
    """The frame cut to a Falcon camera's size; where it is smaller it goes round."""
    return np.pad(frame[:FALCON, :FALCON], [(0, max(0, FALCON - size)) for size in frame.shape], mode="wrap")


def _raw_frames(counts: np.ndarray, seed: int) -> list[bytes]:
    random = np.random.default_rng(seed)
    pixels = np.repeat(np.arange(counts.size), counts.ravel())
    raw_frame = random.integers(0, RAW_PER_FRAME, len(pixels))
    pages = []
    for number in range(RAW_PER_FRAME):
        own = np.unique(pixels[raw_frame == number])
        events = np.concatenate([own[:, None], random.integers(0, 4, (len(own), 2))], axis=1)
        pages.append(eer_code(events, counts.size, 7))
    return pages


def super_resolution(path: Path, frames: int = 80) -> None:
    """Packed frames: four textures, each seen again every fourth frame, that drift by two pixels and a row a frame."""
    random = np.random.default_rng(6)
    base = [random.poisson(0.5, (SUPER[0], SUPER[1])).clip(0, 15).astype(np.uint8) for _ in range(4)]
    packed = [one[:, 0::2] | one[:, 1::2] << 4 for one in base]
    data = b"".join(np.roll(packed[f % 4], (f, f), (0, 1)).tobytes() for f in range(frames))
    write_raw_mrc(path, data, (SUPER[1], SUPER[0], frames), 101)


def twice(source: Path, path: Path) -> None:
    """A movie's frames, then once more from the last to the first, as MRC of bytes."""
    frames = read_movie(source, ImportSettings()).frames
    count, height, width = frames.shape
    with path.open("wb") as file:
        header = np.zeros(256, np.int32)
        header[:4] = width, height, 2 * count, 0
        header[52] = int.from_bytes(b"MAP ", "little")
        header[53] = int.from_bytes(b"\x44\x44\0\0", "little")
        file.write(header.tobytes())
        for frame in (*frames, *frames[::-1]):
            file.write(np.minimum(frame, 127).astype(np.int8).tobytes())


def main() -> None:
    """Entry of the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("eer", "super", "twice"))
    parser.add_argument("paths", type=Path, nargs="+")
    options = parser.parse_args()
    if options.kind == "eer":
        eer_of_movie(*options.paths)
    elif options.kind == "twice":
        twice(*options.paths)
    else:
        super_resolution(*options.paths)


if __name__ == "__main__":
    main()
