"""`alarms`, and `order`, against a real scheduler."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.services.scheduler_site import Site, WaitUntil, ask
from warpcore.bus import messages as wire

Command = Callable[..., Any]


def test_an_alarm_is_told_until_it_is_acknowledged(
    tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: WaitUntil, command: Command
) -> None:
    site = Site(tmp_path, free_ports(4))
    control = ("--control-port", str(site.endpoints.control_port))
    with site.running() as client:
        ask(client, wire.RegisterFiles([], warnings=["a folder cannot be read"]))
        wait_until(lambda: ask(client, wire.GetAlarms()).alarms, what="the alarm")
        (alarm,) = ask(client, wire.GetAlarms()).alarms
        told = command("alarms", *control).stdout
        line = rf"warning since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d: a folder cannot be read \[{re.escape(alarm.id)}\]\n"
        assert re.fullmatch(line, told)
        assert "a folder cannot be read" in command("status", *control).stdout
        acknowledged = command("alarms", "--acknowledge", alarm.id, *control).stdout
        assert acknowledged == told.replace(" [", " (acknowledged) [")
        assert "a folder cannot be read" not in command("status", *control).stdout
        (as_json,) = json.loads(command("alarms", "--json", *control).stdout)
        assert (as_json["id"], as_json["acknowledged"]) == (alarm.id, True)
        refused = command("alarms", "--acknowledge", "nothing", *control)
        assert (refused.returncode, "nothing" in refused.stderr) == (1, True)


def test_the_order_of_waiting_movies_is_chosen(
    tmp_path: Path, free_ports: Callable[[int], list[int]], command: Command
) -> None:
    site = Site(tmp_path, free_ports(4))
    control = ("--control-port", str(site.endpoints.control_port))
    with site.running() as client:
        assert command("order", "latest", *control).stderr == "order latest: The one whose file is the newest.\n"
        assert ask(client, wire.GetProcessing()).order == "latest"
        assert "order latest" in command("status", *control).stdout
        assert command("order", "newest", *control).returncode == 2
