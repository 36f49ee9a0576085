"""`warpcore audit` against a real scheduler."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.services.scheduler_site import Site, ask
from warpcore.bus import messages as wire
from warpcore.bus.messages import AuditEntry
from warpcore.bus.vocabulary import AuditOutcome
from warpcore.cli.audit import line, seconds_of
from warpcore.cli.output import local_time

Command = Callable[..., Any]


def test_who_changed_what_is_told_newest_first(
    tmp_path: Path, free_ports: Callable[[int], list[int]], command: Command
) -> None:
    site = Site(tmp_path, free_ports(4))
    control = ("--control-port", str(site.endpoints.control_port))
    with site.running(paused=False) as client:
        assert command("audit", *control).stdout == ""
        assert command("pause", *control).returncode == 0
        assert command("settings", "set", "ctf.voltage=200", *control).returncode == 0
        ask(client, wire.SaveProfile("mine", by="ada"))
        newest, settings, pause = command("audit", *control).stdout.splitlines()
        assert newest.endswith("  ada (unproven)  profile mine saved: the settings in force")
        assert "@" in settings
        assert settings.endswith("(unproven)  settings 2: ctf.voltage null → 200.0")
        assert pause.endswith("  nobody known (cli)  processing is paused")
        assert command("audit", "--by", "ada", *control).stdout.splitlines() == [newest]
        assert command("audit", "--action", "settings", *control).stdout.splitlines() == [settings]
        assert command("audit", "--last", "2", *control).stdout.splitlines() == [newest, settings]
        assert command("audit", "--since", "1h", *control).stdout.splitlines() == [newest, settings, pause]
        assert command("audit", "--since", "2999-01-01", *control).stdout == ""
        told = json.loads(command("audit", "--json", *control).stdout)
        assert [one["action"] for one in told] == ["profile.save", "settings.patch", "processing.pause"]
        assert command("audit", "--since", "yesterday", *control).returncode == 2


@pytest.mark.parametrize(
    ("user", "by", "outcome", "told"),
    [
        ("ada", "", AuditOutcome.DONE, "ada  paused"),
        ("ada", "ada", AuditOutcome.DONE, "ada  paused"),
        ("ada", "Bob", AuditOutcome.DONE, "ada (Bob)  paused"),
        ("", "Bob", AuditOutcome.DONE, "Bob (unproven)  paused"),
        ("", "", AuditOutcome.DONE, "nobody known (cli)  paused"),
        ("eve", "", AuditOutcome.REFUSED, "eve  refused processing.pause: paused"),
    ],
)
def test_a_line_tells_who_is_proven_and_who_is_only_named(user: str, by: str, outcome: AuditOutcome, told: str) -> None:
    entry = AuditEntry(1, 0.0, user, by, "cli", "processing.pause", "paused", outcome)
    assert line(entry) == f"{local_time(0.0)}  {told}"


def test_a_time_is_a_moment_or_so_long_ago() -> None:
    assert seconds_of("90m", 10_000.0) == 10_000.0 - 90 * 60
    assert seconds_of("2d", 500_000.0) == 500_000.0 - 2 * 86_400
    assert seconds_of("2026-11-26T14:30", 0.0) == datetime(2026, 11, 26, 14, 30).astimezone().timestamp()
    assert seconds_of("2026-11-26T14:30:00+00:00", 0.0) == 1795703400.0
    for impossible in ("", "soon", "-1h", "9999999d", "0d"):
        with pytest.raises(typer.BadParameter):
            seconds_of(impossible, 0.0)
