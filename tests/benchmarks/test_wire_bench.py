"""How long bodies take to check and to make, beside msgpack's time for the same body."""

from __future__ import annotations

import time
from collections.abc import Callable

import msgpack
import pytest

from warpcore.bus import messages as wire
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import MovieStatus, WorkerState

RESULTS = {
    "motion": {"skipped": False, **{f"track_{n}_angstrom": n * 1.1 for n in range(8)}},
    "ctf": {f"value_{n}": n * 1.1 for n in range(12)},
    "picking": {"count": 7},
    "export": {"average": "average/a.mrc", "halves": ["even/a.mrc", "odd/a.mrc"]},
}
STEPS = list(RESULTS)
MOVIE = wire.Movie(
    1,
    "grid/a",
    "grid/a.tif",
    10,
    20,
    MovieStatus.PROCESSED,
    results=RESULTS,
    fingerprints=dict.fromkeys(STEPS, "0" * 24),
)
BODIES: dict[str, Message] = {
    "Movie": MOVIE,
    "RegisterFiles, 2000 files": wire.RegisterFiles(
        [wire.FoundFile(f"grid/movie_{n}.tif", 1000 * n, 1_700_000_000_000_000_000 + n) for n in range(2000)]
    ),
    "Snapshot, 300 movies": wire.Snapshot(1, "epoch", [MOVIE] * 300, None, {"ctf": {"voltage": 300.0}}, 1, False),
    "Heartbeat": wire.Heartbeat("host/cuda:0", WorkerState.BUSY, [1, 2], wire.Load(900, 2000, 60)),
    "TaskFinished": wire.TaskFinished(
        "host/cuda:0", 1, STEPS, RESULTS, {"motion": {"motion/{movie}.json": 9000}}, dict.fromkeys(STEPS, 1.5)
    ),
}


@pytest.mark.bench
def test_checking_a_body_costs_less_than_unpacking_it() -> None:
    print(f"\n{'µs':28}{'to_body':>10}{'pack':>10}{'from_body':>12}{'unpack':>10}")
    for name, message in BODIES.items():
        body, cls = message.to_body(), type(message)
        frame = msgpack.packb(body)
        calls = 20 if "," in name else 5000
        to_body, from_body = _best(message.to_body, calls), _best(lambda c=cls, b=body: c.from_body(b), calls)
        pack, unpack = _best(lambda b=body: msgpack.packb(b), calls), _best(lambda f=frame: msgpack.unpackb(f), calls)
        print(f"{name:28}{to_body:10.1f}{pack:10.1f}{from_body:12.1f}{unpack:10.1f}")
        assert from_body < unpack


def _best(act: Callable[[], object], calls: int) -> float:
    """Microseconds of one call, the best of seven rounds."""
    rounds = []
    for _ in range(7):
        begun = time.perf_counter()
        for _ in range(calls):
            act()
        rounds.append((time.perf_counter() - begun) / calls)
    return min(rounds) * 1e6
