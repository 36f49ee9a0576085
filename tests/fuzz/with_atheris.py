"""Inputs by atheris: those that reach new code are kept, and damaged further."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from random import Random

from tests.fuzz.decoder import BUILD, Decoder
from tests.fuzz.mutating import LONGEST_INPUT

CORPUS_OF_RUNS = BUILD / "fuzz" / "corpus"
"""A folder for each decoder: inputs that reached new code, with which the next run begins."""
_WATCHED = ["warpcore", "mrcfile", "ncempy", "defusedxml"]
"""Packages in Python that decode."""
SLOWER = 4
"""So many times as long code may take that tells what it reaches."""
_LEFT_TO_US = [
    "-timeout=1000000",
    "-rss_limit_mb=0",
    "-malloc_limit_mb=0",
    "-detect_leaks=0",
    "-verbosity=0",
    "-print_final_stats=0",
]
_SIGNALS_LEFT_TO_US = [
    f"-handle_{name}=0" for name in ["abrt", "bus", "fpe", "ill", "int", "segv", "term", "usr1", "usr2", "xfsz"]
]


def is_installed() -> bool:
    """Whether the extra `fuzz` is there; atheris has wheels for some versions of Python alone."""
    return importlib.util.find_spec("atheris") is not None


def watched_imports() -> AbstractContextManager[None]:
    """What is imported within tells atheris which code it reaches."""
    import atheris

    watched: AbstractContextManager[None] = atheris.instrument_imports(include=_WATCHED)
    return watched


def try_inputs(
    decoder: Decoder,
    whole: Sequence[bytes],
    attempt: Callable[[bytes], str],
    at_end: Callable[[], None],
    *,
    seed: int,
    until_s: float,
) -> None:
    """Give `attempt` inputs until the monotonic clock says `until_s`, then end the process, after `at_end`."""
    import atheris

    def one(data: bytes) -> None:
        if time.monotonic() > until_s:
            at_end()
            os._exit(0)  # libFuzzer gives nothing back
        attempt(data)

    def changed(data: bytes, longest: int, number: int) -> bytes:
        random = Random(number)
        if random.random() < 0.4:
            given: bytes = atheris.Mutate(data, longest)
            return given
        return decoder.case([data], random)[:longest]

    folder = CORPUS_OF_RUNS / decoder.name
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(whole):
        Path(folder, f"whole-{number}").write_bytes(data)
    options = [f"-seed={seed % 2**32 or 1}", f"-max_len={LONGEST_INPUT}", "-len_control=0", *_LEFT_TO_US]
    atheris.Setup(["fuzz", str(folder), *options, *_SIGNALS_LEFT_TO_US], one, custom_mutator=changed)
    atheris.Fuzz()
