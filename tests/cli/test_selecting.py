"""`select`, `undo`, `forget` and `retry` against a real scheduler."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.services.scheduler_site import Site, ask, files
from warpcore.bus import messages as wire


def test_a_selection_is_taken_back_by_its_number(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    site = Site(tmp_path, free_ports(4))

    def warpcore(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "warpcore.cli.main", *arguments]
        command += ["--control-port", str(site.endpoints.control_port)]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    with site.running() as client:
        ask(client, files("a.tif", "b.tif"))
        done = warpcore("select", "exclude", "a", "b")
        (change,) = ask(client, wire.GetSelections()).changes
        assert done.stderr == f"2 movies: exclude (`warpcore undo {change.undo}` takes it back)\n"
        assert "@" in change.by
        ask(client, wire.SelectItem("b", "include"))
        assert [line.split()[:3] for line in warpcore("undo", "--list").stdout.splitlines()[1:]] == [
            [one.undo, one.selection, str(one.movies)] for one in ask(client, wire.GetSelections()).changes
        ]
        done = warpcore("undo", change.undo)
        assert done.stderr == "1 movie as before; 1 movie chosen anew since: left as they are\n"
        assert [ask(client, wire.GetItem(name)).movie.selection for name in ("a", "b")] == ["auto", "include"]
        ask(client, files("a.mrc"))
        assert warpcore("forget", "a.mrc").stderr == "1 movie forgotten\n"
        kept = warpcore("forget", "a")
        assert (kept.returncode, "a is unprocessed, not failed" in kept.stderr) == (1, True)
        assert ask(client, wire.GetSummary()).total == 2
        refused = warpcore("retry", "a", "b")
        assert (refused.returncode, "2 movies refused" in refused.stderr) == (1, True)
