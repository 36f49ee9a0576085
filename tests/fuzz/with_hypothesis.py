"""Inputs by hypothesis: damage to whole inputs, and for each fault the least damage that shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import hypothesis
from hypothesis import HealthCheck, Phase, Verbosity, strategies
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import Flaky

from tests.fuzz.decoder import BUILD, Decoder

DATABASE = BUILD / "hypothesis"
"""A folder for each decoder: the choices that led to inputs at fault, which are tried first the next time."""
_PHASES = (Phase.reuse, Phase.generate, Phase.shrink)


class AtFault(AssertionError):
    """An input shows a fault. Each kind of fault is a subclass, which hypothesis makes smaller by itself."""


def try_inputs(
    decoder: Decoder, whole: Sequence[bytes], attempt: Callable[[bytes], str], seed: str, calls: int
) -> None:
    """Give `attempt` so many damaged inputs, equal for equal seeds; it returns their fault, "" for none.

    For each kind of fault, others follow with fewer changes, and the last one shows it with the fewest.
    """
    kinds: dict[str, type[AtFault]] = {}

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=calls,
        database=DirectoryBasedExampleDatabase(DATABASE / decoder.name),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        phases=_PHASES,
    )
    @hypothesis.given(strategies.randoms(use_true_random=False).map(lambda random: decoder.case(whole, random)))
    def one(data: bytes) -> None:
        kind, _, text = attempt(data).partition(": ")
        if kind:
            raise kinds.setdefault(kind, type(kind, (AtFault,), {}))(text)

    with contextlib.suppress(AtFault, Flaky, ExceptionGroup):
        one()
