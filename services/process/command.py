"""A command of warpcore as a child that ends with its parent and lets others go first.

`python -m warpcore.services.process.command FOLDER ARGUMENTS` is `warpcore ARGUMENTS`; its exit code is left in
`FOLDER/exit`, where also those find it who did not start it. One that was killed leaves none.
"""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path
from typing import Any

from warpcore.services.process.parent import end_with_parent

NICENESS = 10


def main() -> None:
    """Run the command line in this process."""
    end_with_parent()
    os.nice(NICENESS)
    folder = Path(sys.argv[1])
    sys.argv = ["warpcore", *sys.argv[2:]]
    code: Any = 0
    try:
        runpy.run_module("warpcore.cli.main", run_name="__main__")
    except SystemExit as ended:
        code = ended.code or 0
    (folder / "exit").write_text(str(code), encoding="utf-8")
    sys.exit(code)


if __name__ == "__main__":
    main()
