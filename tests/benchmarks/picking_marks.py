"""The marks that the default picker has to reach, and the rows they are read from."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.picking_pickers import PEERS, PICKERS
from tests.benchmarks.picking_sets import PickingSet, labelled_sets
from tests.benchmarks.picking_simulated import nothing_to_find, t20s
from tests.benchmarks.picking_tables import Row, measured

LABELLED_NAMES = (
    "80S ribosome",
    "80S ribosome, labelled anew",
    "TRPV1 in nanodiscs",
    "TRPV1 where labelled",
    "beta-galactosidase",
    "apoferritin",
    "T20S proteasome, simulated",
)
JUDGED = "auto"
"""The picker whose marks are asserted."""
LEAST_PEER = "Laplacian of Gaussian"
"""The peer that it must equal in F1 on every labelled set."""
MOST_PICKS_ON_NOTHING = 1.0
"""A micrograph of empty ice or carbon film has fewer picks, in the mean."""
MOST_Y = {"blob": 2.0, "network": 4.0}
"""Time for a micrograph of 2048², in units of the transform of 24 × 2048² (Y)."""


class Mark(NamedTuple):
    """The least value of a measure on a set; `bound` says why it is not reached, where it is not."""

    chosen: str
    measure: str
    least: float
    bound: str = ""


MEASURES: dict[str, Callable[[Row], float]] = {
    "recall": lambda row: row.default.recall,
    "precision": lambda row: row.default.precision,
    "F1": lambda row: row.default.f1,
    "precision of picks scored 0.9 and more": lambda row: row.sure.precision,
}
"""All at the default threshold but the last."""

MARKS = (  # beside each what the default measured
    Mark("80S ribosome", "recall", 0.95),  # 0.992
    Mark("80S ribosome", "precision", 0.72, "0.683: all ribosomes labelled anew, taken for picks, have 0.706"),
    Mark("80S ribosome, labelled anew", "F1", 0.90),  # 0.996
    Mark("80S ribosome, labelled anew", "precision of picks scored 0.9 and more", 0.85),  # 1.000
    Mark("TRPV1 in nanodiscs", "F1", 0.68, "0.61: no level of any picker here reaches more than 0.67"),
    Mark(
        *("TRPV1 in nanodiscs", "precision of picks scored 0.9 and more", 0.85),
        "0.83: between the margin of 80 Å and the first labels, 157 Å from the edges, every pick counts as false",
    ),
    Mark("TRPV1 where labelled", "precision of picks scored 0.9 and more", 0.85),  # 0.884
    Mark("beta-galactosidase", "F1", 0.80),  # 0.854
    Mark("beta-galactosidase", "precision of picks scored 0.9 and more", 0.85),  # 0.927
    Mark("T20S proteasome, simulated", "F1", 0.95),  # 1.000
    Mark("apoferritin", "F1", 0.95),  # 0.964
)


@lru_cache(maxsize=1)
def labelled(shared_data: Path) -> dict[str, PickingSet]:
    """All labelled sets by name, read once."""
    return {chosen.name: chosen for chosen in (*labelled_sets(shared_data), t20s(shared_data))}


@lru_cache(maxsize=1)
def unlabelled() -> dict[str, PickingSet]:
    """The simulated sets without particles, by name."""
    return {chosen.name: chosen for chosen in nothing_to_find()}


@cache
def row(shared_data: Path, chosen: str, picker: str) -> Row:
    """A picker on a labelled set, measured once a run."""
    return measured(picker, (PICKERS | PEERS)[picker], labelled(shared_data)[chosen])
