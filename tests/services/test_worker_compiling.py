"""What a session spends on compiling is counted as JAX does it, and told once and when it is long."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from warpcore.services.worker.compiling import TELL_FROM_S, CompileCount

COMPILE = "/jax/core/compile/backend_compile_duration"
CACHE = "/jax/compilation_cache/cache_retrieval_time_sec"


def test_a_kernel_from_the_cache_is_not_one_that_was_compiled() -> None:
    count = CompileCount()
    count.hear(COMPILE, 2.0, fun_name="a")
    count.hear(CACHE, 0.25)
    count.hear(COMPILE, 0.3, fun_name="b")
    count.hear("/jax/core/compile/jaxpr_trace_duration", 9.0)
    assert count.news() == "compiled 1 kernel in 2.0 s, 1 from the cache in 0.2 s"


def test_it_is_told_after_the_first_movie_and_later_only_where_it_took_long() -> None:
    count = CompileCount()
    assert count.news() == "compiled 0 kernels in 0.0 s, 0 from the cache in 0.0 s"
    count.hear(COMPILE, TELL_FROM_S)
    assert count.news() is None
    count.hear(COMPILE, TELL_FROM_S + 0.2)
    assert count.news() == "compiled 1 kernel in 1.2 s, 0 from the cache in 0.0 s"
    assert count.news() is None


PROGRAM = """
import sys, pathlib, jax
from warpcore.services.worker.devices import open_device
from warpcore.services.worker.compiling import CompileCount
open_device("cpu", pathlib.Path(sys.argv[1]))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
count = CompileCount()
count.listen()
image = jax.device_put(1.0)
for _ in range(3):
    jax.jit(lambda x: x * 2)(image), jax.jit(lambda x: x + jax.numpy.sin(x))(image)
print(count.news())
"""


def test_jax_says_what_it_compiles_and_what_it_finds_in_the_cache(tmp_path: Path) -> None:
    def run() -> list[str]:
        command, environment = [sys.executable, "-c", PROGRAM, str(tmp_path)], {**os.environ, "JAX_PLATFORMS": "cpu"}
        said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        return re.findall(r"compiled (\d+) kernels in .* s, (\d+) from", said)

    ((compiled, cached),) = run()
    assert int(compiled) >= 2
    assert int(cached) == int(compiled) * 2, "the same functions, made anew in this process"
    assert run() == [("0", str(int(compiled) * 3))]
    for entry in tmp_path.glob("*-cache"):  # as a kill or a full disk leaves them
        entry.write_bytes(entry.read_bytes()[:-20])
    assert run() == [(compiled, cached)]
    assert run() == [("0", str(int(compiled) * 3))], "what was cut short is made anew"
