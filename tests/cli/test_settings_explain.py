"""`settings explain` with a session, which adds the values in use, and without one, which is no error."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services.scheduler_site import Site, WaitUntil, ask
from warpcore.bus import messages as wire
from warpcore.cli.settings import in_use_text

Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("values", "others", "text"),
    [
        (
            [(300.0, "metadata", 198), (200.0, "metadata", 1)],
            0,
            "300 (metadata of 198 movies), 200 (metadata of 1 movie)",
        ),
        ([(2.7, "assumed", 200)], 0, "2.7 (assumed, 200 movies)"),
        ([(1.1, "setting", 200)], 0, "1.1 (setting)"),
        ([(0.832, "header", 3), (None, "", 1)], 0, "0.832 (header of 3 movies), unknown (1 movie)"),
        ([(1.25, "metadata", 9)], 7, "1.25 (metadata of 9 movies), other values of 7 movies"),
        ([], 0, "not known before the first movie"),
    ],
)
def test_values_in_use_are_told_in_one_line(values: list[Any], others: int, text: str) -> None:
    setting = wire.SettingInUse("ctf.voltage", [wire.ValueInUse(*one) for one in values], others)
    assert in_use_text(setting) == text


def test_a_session_tells_the_values_in_use_below_the_setting(
    command: Command, tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: WaitUntil
) -> None:
    site = Site(tmp_path, free_ports(4))
    header = wire.Header(40, 512, 512, 1.1)
    told = wire.Acquisition("a.xml", 1, "epu", voltage_kv=200.0)
    with site.running() as client:
        ask(client, wire.PatchSettings({"import": {"dose_per_frame": 1.5}}))
        ask(client, wire.RegisterFiles([wire.FoundFile("a.tif", 100, 5, header, told)]))
        lines: list[str] = []

        def told_all() -> bool:
            """The session is asked aside: one that does not answer at once is left out."""
            done = command(
                *("settings", "explain", "ctf.voltage", "ctf.cs", "import"),
                *("--control-port", str(site.endpoints.control_port)),
            )
            assert (done.returncode, done.stderr) == (0, "")
            lines[:] = done.stdout.splitlines()
            return any(line.startswith("    now: ") for line in lines)

        wait_until(told_all, what="values in use")
    now = {lines[at - 2].partition(":")[0]: line for at, line in enumerate(lines) if line.startswith("    now: ")}
    assert now == {
        "ctf.voltage": "    now: 200 (metadata of 1 movie)",
        "ctf.cs": "    now: 2.7 (assumed, 1 movie)",
        "import.pixel_size": "    now: 1.1 (header of 1 movie)",
        "import.dose_per_frame": "    now: 1.5 (setting)",
    }


def test_without_a_session_settings_are_explained_all_the_same(
    command: Command, free_ports: Callable[[int], list[int]]
) -> None:
    (port,) = free_ports(1)
    done = command("settings", "explain", "ctf.voltage", "--control-port", str(port))
    assert (done.returncode, done.stderr) == (0, "")
    head, meaning = done.stdout.splitlines()
    assert head.startswith("ctf.voltage: ")
    assert meaning.startswith("    default null")


def test_a_session_is_asked_only_for_settings_that_movies_tell(command: Command) -> None:
    """Something listens there and never answers, as a scheduler that hangs: that is no error either."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        listener.setblocking(False)
        assert command("settings", "explain", "picking", "--control-port", port).returncode == 0
        with pytest.raises(BlockingIOError):
            listener.accept()
        done = command("settings", "explain", "ctf", "--control-port", port)
        assert (done.returncode, done.stderr, "now:" in done.stdout) == (0, "", False)
        listener.settimeout(10.0)
        listener.accept()[0].close()
