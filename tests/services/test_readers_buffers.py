"""Buffers that movies are decoded into again and again, and readers that use them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np
import pytest
import tifffile

from tests.services.movie_files import write_eer, write_raw_mrc
from warpcore.services.readers.buffers import BufferPool, new_buffer
from warpcore.services.readers.movies import read_movie
from warpcore.services.session.errors import InputError
from warpcore.services.session.settings import ImportSettings
from warpcore.services.worker.page_locked import movie_memory, page_lock_for

MB = 2**20


class Locks:
    """Stands for a driver: which bytes are locked now."""

    def __init__(self) -> None:
        self.held: dict[int, int] = {}

    def __call__(self, address: int, nbytes: int):
        self.held[address] = nbytes
        return lambda: self.held.pop(address)


def test_a_released_buffer_is_used_again_and_no_other_is_made() -> None:
    locks = Locks()
    pool = BufferPool(locks)
    first = pool.take(5 * MB)
    address = first.data.ctypes.data
    assert (address % 64, first.is_zero, len(first.data), first.data.any()) == (0, True, 5 * MB, np.False_)
    first.data[:] = 7
    first.release()
    first.release()
    again = pool.take(4 * MB)
    assert (again.data.ctypes.data, again.is_zero, len(again.data)) == (address, False, 4 * MB)
    other = pool.take(4 * MB)
    assert other.data.ctypes.data != address
    assert len(locks.held) == 2


def test_at_most_two_wait_and_the_largest_stay() -> None:
    locks = Locks()
    pool = BufferPool(locks)
    for buffer in [pool.take(n * MB) for n in (4, 8, 6)]:
        buffer.release()
    assert sorted(locks.held.values()) == [6 * MB, 8 * MB]
    assert pool.waiting_bytes == 14 * MB


def test_a_larger_movie_takes_the_place_of_smaller_buffers() -> None:
    locks = Locks()
    pool = BufferPool(locks)
    for buffer in [pool.take(2 * MB), pool.take(4 * MB)]:
        buffer.release()
    large = pool.take(10 * MB)
    assert list(locks.held.values()) == [10 * MB]
    large.release()
    assert pool.waiting_bytes == 10 * MB


def test_a_buffer_far_too_large_is_freed_once_no_recent_movie_needs_it() -> None:
    locks = Locks()
    pool = BufferPool(locks)
    pool.take(100 * MB).release()
    for _ in range(15):
        pool.take(10 * MB).release()
    assert list(locks.held.values()) == [100 * MB]
    pool.take(10 * MB).release()
    assert list(locks.held.values()) == [10 * MB]


def test_a_buffer_that_is_forgotten_unlocks_its_memory() -> None:
    locks = Locks()
    pool = BufferPool(locks)
    pool.take(MB)
    assert locks.held == {}


def test_memory_that_cannot_be_locked_or_had_is_told() -> None:
    buffer = BufferPool(lambda address, nbytes: None).take(3 * MB)
    buffer.data[:] = 1
    buffer.release()
    with pytest.raises(MemoryError, match="are needed"):
        BufferPool().take(2**62)


def test_no_two_threads_hold_the_same_buffer() -> None:
    pool = BufferPool(Locks())
    guard, held = threading.Lock(), set()

    def use(number: int) -> None:
        buffer = pool.take((1 + number % 5) * MB)
        address = buffer.data.ctypes.data
        with guard:
            assert address not in held
            held.add(address)
        buffer.data[:: 64 * 1024] = number % 251
        assert (buffer.data[:: 64 * 1024] == number % 251).all()
        with guard:
            held.remove(address)
        buffer.release()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(200)))


@pytest.fixture
def movies(tmp_path: Path) -> list[Path]:
    random = np.random.default_rng(6)
    frames = random.integers(0, 16, (4, 60, 50)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", frames, compression="lzw", photometric="minisblack", rowsperstrip=7)
    write_raw_mrc(tmp_path / "b.mrc", frames.astype("<i2").tobytes(), (50, 60, 4), 1)
    write_raw_mrc(tmp_path / "c.mrc", frames.tobytes(), (99, 60, 4), 101)
    pixels = random.choice(3000, (40, 30))
    write_eer(tmp_path / "d.eer", [[(int(p), 1, 2) for p in set(frame)] for frame in pixels], (60, 50))
    return sorted(tmp_path.iterdir())


def test_every_reader_fills_a_used_buffer_as_it_fills_a_new_one(movies: list[Path]) -> None:
    pool = BufferPool()
    settings = ImportSettings(eer_groups=4)
    for path in movies:
        dirty = pool.take(2 * MB)
        dirty.data[:] = 255
        dirty.release()
        expected = read_movie(path, settings)
        raw = read_movie(path, settings, allocate=pool.take)
        assert raw.frames.ctypes.data == dirty.data.ctypes.data
        np.testing.assert_array_equal(raw.frames, expected.frames)
        assert pool.waiting_bytes == 0
        raw.release()
        assert pool.waiting_bytes == 2 * MB
        expected.release()


def test_a_movie_that_cannot_be_read_gives_its_buffer_back(movies: list[Path]) -> None:
    pool = BufferPool()
    damaged = movies[0]
    with tifffile.TiffFile(damaged) as tiff:
        offset, count = tiff.pages[2].dataoffsets[1], tiff.pages[2].databytecounts[1]
    data = bytearray(damaged.read_bytes())
    data[offset : offset + count] = b"\xff" * count
    damaged.write_bytes(data)
    with pytest.raises(InputError, match="frame 2 is damaged"):
        read_movie(damaged, ImportSettings(), allocate=pool.take)
    assert pool.waiting_bytes == 2 * MB


def test_the_cpu_keeps_memory_of_its_own_and_says_where_it_cannot_lock(caplog: pytest.LogCaptureFixture) -> None:
    device = jax.devices("cpu")[0]
    assert movie_memory(device) is new_buffer
    memory = np.zeros(4096, np.uint8)
    assert page_lock_for(device)(memory.ctypes.data, memory.nbytes) is None
    assert "not page-locked" in caplog.text
