"""REST under fuzzing: schemathesis over the OpenAPI document of a real session, all operations and what links them.

`python -m tests.fuzz.http SEED SECONDS` prints a row of the table; what the services log goes to its standard error.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.failing import FAILING
from tests.ports import free_ports_of_loopback
from tests.services.api.by_schemathesis import session_to_try, try_operations

NAME = "http"
_MOST_EXAMPLES = 400
"""Of an operation and a phase, if time allows."""
_GRACE_S = 240.0
"""What may pass beyond the time given: the edges of all types are tried in any case."""


@dataclass(frozen=True)
class Found:
    """How many requests were tried, of how many operations, and what schemathesis says of those at fault, or ""."""

    calls: int
    operations: int
    fault: str


def fuzz(seed: int, seconds: float) -> Found:
    """Try requests of all operations for so long, then sequences of them."""
    options = ("--phases", "coverage,fuzzing,stateful", "--continue-on-failure", "--seed", str(seed))
    options += ("--max-examples", str(_MOST_EXAMPLES), "--max-time", f"{max(1.0, seconds):.0f}")
    with tempfile.TemporaryDirectory(prefix="fuzz-http-") as name:
        folder = Path(name)
        os.environ["XDG_RUNTIME_DIR"] = name  # nothing is found of other sessions of this user
        with session_to_try(folder, free_ports_of_loopback(5)) as api:
            done = try_operations(api, folder, *options, timeout_s=seconds + _GRACE_S)
            lives = all(process.poll() is None for process in (api.server, api.scheduler))
    text = done.stdout + done.stderr
    if not lives:
        text += "\nA service has ended."
    calls, operations = (re.search(rf"{what}", text) for what in (r"(\d+) generated", r"Tested: (\d+)"))
    return Found(
        int(calls[1]) if calls else 0,
        int(operations[1]) if operations else 0,
        text if done.returncode or not lives or not operations else "",
    )


def report(found: Found) -> bool:
    """A row of the table, and what is at fault in a file; whether anything is."""
    print(f"{NAME:24}{found.calls:10}  of {found.operations} operations{int(bool(found.fault)):12}", flush=True)
    if found.fault:
        path = FAILING / NAME / "report.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found.fault)
        print(f"    {path}: what is at fault, with a request that shows it", flush=True)
    return bool(found.fault)


if __name__ == "__main__":
    sys.exit(report(fuzz(int(sys.argv[1]), float(sys.argv[2]))))
