"""`settings history` and `settings profiles` against a real scheduler."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.services.scheduler_site import Site, ask
from warpcore.bus import messages as wire


def test_a_profile_is_loaded_and_the_history_tells_it(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> None:
    site = Site(tmp_path, free_ports(4))

    def settings(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "warpcore.cli.main", "settings", *arguments]
        command += ["--control-port", str(site.endpoints.control_port)]
        return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    with site.running() as client:
        assert settings("profiles", "save", "before").stderr == "before: saved\n"
        ask(client, wire.PatchSettings({"ctf": {"voltage": 200.0}}, by="ada"))
        assert settings("profiles", "load", "before").returncode == 0
        newest, adas, *_ = settings("history").stdout.split("\n    ctf.voltage: ")
        assert "@" in newest
        assert adas.startswith("200.0 → null\n")
        assert adas.endswith("  ada")
        unknown = settings("profiles", "show", "nothing")
        assert (unknown.returncode, "no profile is called 'nothing'" in unknown.stderr) == (1, True)
