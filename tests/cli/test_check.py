"""`warpcore check` on this host: real folders, ports, a real scheduler."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.bus.server import serving
from tests.services.scheduler_site import Site
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope
from warpcore.bus.keys import Holder
from warpcore.bus.messages import Error, Health
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ErrorCode, Role
from warpcore.cli.host.asking import ask_scheduler
from warpcore.cli.host.facts import SchedulerFacts
from warpcore.cli.host.looking_at_folders import data_folder, processing_folder
from warpcore.cli.main import app
from warpcore.services.access.keys import add
from warpcore.services.access.places import Access


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


def checked(site: Site, *arguments: object) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Exit code, and the lines by what they are about."""
    ends = site.endpoints
    ports = {
        "--controller-port": ends.controller_port,
        "--control-port": ends.control_port,
        "--events-in-port": ends.events_in_port,
        "--events-out-port": ends.events_out_port,
    }
    options = [str(part) for pair in ports.items() for part in pair]
    done = CliRunner().invoke(app, ["check", "--no-jax", "--json", *options, *map(str, arguments)])
    by_subject: dict[str, list[dict[str, Any]]] = {}
    for one in json.loads(done.stdout)["checks"]:
        by_subject.setdefault(one["subject"], []).append(one)
    assert json.loads(done.stdout)["good"] is (done.exit_code == 0)
    return done.exit_code, by_subject


def asked_once(site: Site, key: Path | None) -> SchedulerFacts:
    """What a scheduler says, which may start still."""
    return ask_scheduler(site.endpoints, key, is_expected=True)[0]


def test_a_host_with_free_ports_and_plain_folders_is_well(site: Site, free_ports: Callable[[int], list[int]]) -> None:
    (port,) = free_ports(1)
    code, found = checked(site, "--data", site.data, "--processing", site.processing, "--port", port)
    assert code == 0, found
    assert found["ports"][0]["judgement"] == "good"
    assert found["data"][0]["found"].startswith(f"{site.data} can be read, on /")
    assert [*site.processing.iterdir()] == []


def test_a_running_scheduler_tells_its_version_and_its_clock(site: Site, wait_until: Callable[..., None]) -> None:
    with site.running():
        wait_until(lambda: not asked_once(site, None).problem, what="an answer in time")
        _, found = checked(site)
        assert "as here" in found["scheduler"][0]["found"]
        assert "of the scheduler's" in found["clock"][0]["found"]


def test_a_port_that_is_taken_ends_in_one(site: Site, free_ports: Callable[[int], list[int]]) -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        code, found = checked(site, "--port", port)
    assert code == 1
    assert f"port {port} (--port) cannot be used" in found["port"][0]["found"]
    assert found["port"][0]["advice"] == "choose another with --port"


def test_a_scheduler_elsewhere_must_answer_and_its_ports_are_not_this_hosts(site: Site) -> None:
    code, found = checked(site, "--scheduler", "127.0.0.2")
    assert code == 1
    assert "port" not in found
    assert "ports" not in found
    assert "nothing listens at tcp://127.0.0.2" in found["scheduler"][0]["found"]


def test_the_table_has_a_line_for_each_verdict(site: Site) -> None:
    done = CliRunner().invoke(app, ["check", "--no-jax", "--control-port", str(site.endpoints.control_port)])
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]].count("good") >= 5
    assert "what" in done.stdout.splitlines()[0]


def test_a_folder_is_tried_where_it_will_be_made(tmp_path: Path) -> None:
    found = processing_folder(tmp_path / "later" / "processed")
    assert (found.problem, found.exists, found.failed, found.has_links) == ("", False, (), True)
    assert found.device == tmp_path.stat().st_dev
    assert [*tmp_path.iterdir()] == []
    (tmp_path / "file").touch()
    assert "is not a directory" in processing_folder(tmp_path / "file" / "processed").problem


def test_folders_that_are_not_there_or_closed_say_so(tmp_path: Path) -> None:
    assert "does not exist" in data_folder(tmp_path / "none").problem
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.geteuid() == 0:
        pytest.skip("root writes everywhere")
    assert "cannot be written" in processing_folder(closed).problem


def test_the_schedulers_clock_is_compared_with_half_the_answers_time(free_ports: Callable[[int], list[int]]) -> None:
    (port,) = free_ports(1)
    times = iter((1000.0, 1004.0))

    def answer(envelope: Envelope, before: int) -> Message:
        return Health(1.0, 0, 0, 0, {}, {"warpcore": "9.9"})

    ends = Endpoints(control_port=port)
    with serving(ends.control, answer) as server:
        found, ahead_s, uncertain_s = ask_scheduler(ends, None, is_expected=True, wall=lambda: next(times))
    assert server.received
    assert (found.version, uncertain_s) == ("9.9", 2.0)
    assert ahead_s is not None
    assert ahead_s > 1e9  # the answer carries this host's real time


def test_with_the_key_of_a_worker_the_port_for_workers_is_asked(
    tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: Callable[..., None]
) -> None:
    access = Access(tmp_path / "access")
    key = add(access, Holder("gpu1", Role.WORKER))
    site = Site(tmp_path, free_ports(4))
    with site.running(access=access.folder):
        wait_until(lambda: not asked_once(site, key).problem, what="it listens")
        found, ahead_s, _ = ask_scheduler(site.endpoints, key, is_expected=True)
    assert (found.endpoint, found.problem) == (site.endpoints.workers, "")
    assert found.refusal
    assert ahead_s is not None
    assert "gpu1" in found.key


def test_a_key_that_cannot_be_used_is_a_line(tmp_path: Path, site: Site) -> None:
    key = tmp_path / "gpu1.toml"
    key.write_text("")
    key.chmod(0o644)
    code, found = checked(site, "--key", key)
    assert code == 1
    assert "is open to other users; chmod 600" in found["key"][0]["found"]


def test_what_another_program_answers_is_a_line(free_ports: Callable[[int], list[int]]) -> None:
    ends = Endpoints(control_port=free_ports(1)[0])
    with serving(ends.control, lambda *_: Error(ErrorCode.FORBIDDEN, "no")):
        found, _, _ = ask_scheduler(ends, None, is_expected=True)
    assert found.refusal == "no"
