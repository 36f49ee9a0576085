"""Each service on a host of its own, under a key; some see the folders elsewhere, and cables are cut."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hosts_for_tests import Host, hosts, needs_hosts
from movies_for_tests import outputs_of

from warpcore.bus.vocabulary import Role
from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions

pytestmark = needs_hosts

WARPCORE = (sys.executable, "-m", "warpcore.cli.main")
NAMES = ("scheduler", "discoverer", "tracker", "api", "worker1", "worker2")
MOVIES = 12
SILENT_S = "3"
"""So soon the scheduler takes a worker for lost, in place of 30 s."""


class Site:
    """Hosts that share the folder `there`, and what runs on them."""

    def __init__(self, hosts: dict[str, Host], folder: Path) -> None:
        self.hosts, self.folder = hosts, folder
        self.there = folder / "there"
        self.data, self.processing = self.there / "data", self.there / "processing"
        self.data.mkdir(parents=True)
        self.access = folder / "access"
        self.keys: dict[str, str] = {}
        self.settings = ["import.pixel_size=2.2", "import.dose_per_frame=2", "filter.resolution_max=null"]
        transport = httpx.HTTPTransport(uds=str(folder / "http"))
        self.http = httpx.Client(base_url=f"http://{hosts['api'].address}:5000", transport=transport, timeout=30)

    def new_key(self, name: str, role: Role, access: Path | None = None) -> str:
        """The file of a new key of this session, or of another one."""
        of = ["--service", name] if role is Role.SERVICE else []
        made = warpcore("keys", "add", name, "--role", role, *of, "--access", str(access or self.access))
        return made.stdout.strip()

    def start(self, host: str, *arguments: str, service: str = "", key: str = "") -> Any:
        """Start the service of a host's name on it, under a key of that name, unless other ones are given."""
        service = service or host
        if service != "scheduler":
            if not key and host not in self.keys:
                self.keys[host] = self.new_key(host, Role.WORKER if service == "worker" else Role.SERVICE)
            arguments = ("--scheduler", self.hosts["scheduler"].address, "--key", key or self.keys[host], *arguments)
        return self.hosts[host].start(service, *WARPCORE, service, *arguments)

    def start_scheduler(self) -> None:
        """It listens at the address of its host."""
        folders = ["--data", str(self.data), "--processing", str(self.processing), "--access", str(self.access)]
        settings = [text for one in self.settings for text in ("--set", one)]
        address = self.hosts["scheduler"].address
        self.start("scheduler", *folders, "--bind", address, "--heartbeat-timeout", SILENT_S, *settings)

    def start_services(self, here: Path) -> None:
        """All others but workers; the host of the API sees the folder `there` at `here`."""
        self.start("discoverer", "--data", str(self.data))
        self.start("tracker", "--processing", str(self.processing))
        api = self.hosts["api"]
        access = ["--access", str(self.access)]
        self.start("api", "--bind", api.address, *access, "--path-map", f"{self.there}={here}")
        token = warpcore("tokens", "add", "test", "--role", "operate", *access).stdout.strip()
        self.http.headers["Authorization"] = f"Bearer {token}"
        api.pass_on(self.folder / "http", api.address, 5000)

    def start_worker(self, host: str, *arguments: str, key: str = "") -> Any:
        """A worker of its host's name."""
        return self.start(host, "--name", host, "--device", "cpu", *arguments, service="worker", key=key)

    def get(self, path: str) -> Any:
        """The JSON of a REST resource, None while nobody answers."""
        try:
            answer = self.http.get(path)
        except httpx.HTTPError:
            return None
        return answer.json() if answer.is_success else None

    def worker(self, name: str) -> dict[str, Any]:
        """A worker as it is registered, {} while it is not."""
        found = self.get("/api/workers") or {"workers": []}
        return next((one for one in found["workers"] if one["id"] == name), {})

    def statuses(self) -> list[str]:
        """Of all movies."""
        found = self.get("/api/items?pageSize=500") or {"items": []}
        return [item["status"] for item in found["items"]]

    def quiet_run(self, processing: Path) -> dict[str, bytes]:
        """What one process on this machine makes of the movies."""
        given = [text for one in self.settings for text in ("--set", one)]
        movies = [str(path) for path in sorted(self.data.glob("*.tif"))]
        folders = ["--data", str(self.data), "--processing", str(processing)]
        warpcore("process", *movies, *folders, *given)
        return outputs_of(processing)

    def write_movies(self, count: int) -> None:
        """One movie under many names, and its gain."""
        options = SimulationOptions(frames=6, height=384, width=384, pixel_size_angstrom=2.2, drift_angstrom=5.0)
        (movie,) = simulate_movies(self.data, 1, options=options)
        for number in range(1, count):
            shutil.copy(movie.path, self.data / f"m{number:04d}.tif")
        (self.there / "references").mkdir()
        gain = (self.data / "gain.mrc").rename(self.there / "references" / "gain.mrc")
        self.settings.append(f"import.gain_path={gain}")


def warpcore(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command on this machine."""
    return subprocess.run([*WARPCORE, *arguments], check=True, timeout=300, capture_output=True, text=True)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with hosts(NAMES, tmp_path / "logs") as made:
        site = Site(made, tmp_path)
        with site.http:
            yield site


def test_a_worker_with_a_wrong_map_is_told_both_folders(
    site: Site, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    first = site.hosts["worker1"]
    (tmp_path / "empty").mkdir()
    site.start_scheduler()
    site.start_worker("worker1", "--path-map", f"{site.there}={tmp_path}/empty")
    wait_until(lambda: "is not there" in first.log("worker"), 60, "what worker 1 does not see")
    (line,) = [line for line in first.log("worker").splitlines() if "is not there" in line]
    assert ".warpcore/token is not there in the processing directory" in line
    assert f"{site.processing} at {tmp_path}/empty/processing" in line


@pytest.mark.slow
def test_a_session_over_separate_hosts_outlives_a_cable_and_does_each_movie_once(
    site: Site, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    here, second = tmp_path / "here", site.hosts["worker2"]
    for host in (second, site.hosts["api"]):
        host.sees_elsewhere(site.there, here)
    site.write_movies(MOVIES)
    site.start_scheduler()
    site.start_services(here)
    wait_until(lambda: len(site.statuses()) == MOVIES, 60, "all movies")
    site.start_worker("worker2", "--path-map", f"{site.there}={here}")
    wait_until(lambda: site.worker("worker2").get("movies"), 90, "a movie at worker 2")
    second.cut_cable()
    site.start_worker("worker1")
    wait_until(lambda: site.worker("worker2")["state"] == "lost", 30, "that worker 2 is lost")
    wait_until(lambda: site.worker("worker1").get("done", 0) > 0, 90, "that worker 1 goes on")
    second.plug_in_cable()
    wait_until(lambda: site.worker("worker2")["state"] in ("idle", "busy"), 60, "that worker 2 is back")
    wait_until(lambda: site.statuses() == MOVIES * ["processed"], 180, "all movies done")
    assert site.worker("worker1")["done"] + site.worker("worker2")["done"] == MOVIES
    assert site.worker("worker1")["failed"] == site.worker("worker2")["failed"] == 0
    assert site.http.get("/api/items/m0001/picture/thumbnail").headers["Content-Type"] == "image/jpeg"
    quiet = site.quiet_run(tmp_path / "quiet")
    wait_until(lambda: outputs_of(site.processing).keys() == quiet.keys(), 30, "the lists")
    wait_until(lambda: differing(outputs_of(site.processing), quiet) == [], 30, "equal bytes")


def test_an_observer_reads_and_commands_nothing_from_another_host(site: Site, wait_until: Callable[..., None]) -> None:
    desk, address = site.hosts["worker1"], site.hosts["scheduler"].address
    guest = site.new_key("guest", Role.OBSERVER)
    site.start_scheduler()
    wait_until(lambda: "no movies yet" in site.hosts["scheduler"].log("scheduler"), 60, "the scheduler")
    told = desk.run(*WARPCORE, "status", "--scheduler", address, "--key", guest)
    assert told.returncode == 0, told.stderr
    refused = desk.run(*WARPCORE, "pause", "--scheduler", address, "--key", guest)
    assert refused.returncode == 1
    assert "does not allow processing.pause" in refused.stderr


def test_a_wrong_key_lets_nobody_in_and_a_worker_whose_cable_was_cut_comes_back(
    site: Site, tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    first, second, scheduler = (site.hosts[name] for name in ("worker1", "worker2", "scheduler"))
    site.start_scheduler()
    site.start_worker("worker1", key=site.new_key("worker1", Role.WORKER, access=tmp_path / "another"))
    site.start_worker("worker2")
    wait_until(lambda: "is the key file of another scheduler?" in first.log("worker"), 60, "worker 1's line")
    told = f"from {first.address}: it takes this scheduler for another one"
    wait_until(lambda: told in scheduler.log("scheduler"), 60, "the scheduler's line")

    def last_said() -> str:
        return ["", *re.findall("worker worker2 is (there|lost)", scheduler.log("scheduler"))][-1]

    wait_until(lambda: last_said() == "there", 90, "worker 2")
    second.cut_cable()
    wait_until(lambda: last_said() == "lost", 30, "the loss of worker 2")
    second.plug_in_cable()
    wait_until(lambda: last_said() == "there", 60, "worker 2 again")
    assert "worker worker1 is there" not in scheduler.log("scheduler")


@pytest.mark.slow
def test_a_revoked_key_loses_its_rights_at_once(site: Site, tmp_path: Path, wait_until: Callable[..., None]) -> None:
    second, scheduler = (site.hosts[name] for name in ("worker2", "scheduler"))
    site.start_scheduler()
    key = site.new_key("worker2", Role.WORKER)
    shutil.copy(key, copied := str(tmp_path / "worker2.toml"))
    revoked = site.start_worker("worker2", key=copied)
    wait_until(lambda: "worker worker2 is there" in scheduler.log("scheduler"), 90, "worker 2")
    warpcore("keys", "revoke", "worker2", "--access", str(site.access))
    told = "worker.heartbeat: this key was revoked"
    wait_until(lambda: told in scheduler.log("scheduler"), 15, "the scheduler's line")
    wait_until(lambda: "refuses this worker: this key was revoked" in second.log("worker"), 15, "worker 2's line")
    wait_until(lambda: "worker worker2 is lost" in scheduler.log("scheduler"), 15, "the loss of worker 2")
    revoked.terminate()
    revoked.wait(20)
    site.start_worker("worker2", key=copied)
    wait_until(lambda: "the scheduler refuses the key of worker2" in second.log("worker"), 60, "worker 2's line")
    told = "connection(s) without a key for the port"
    wait_until(lambda: told in scheduler.log("scheduler"), 30, "the scheduler's line")


def differing(some: dict[str, bytes], others: dict[str, bytes]) -> list[str]:
    """Names of files whose bytes differ. Lists have a line a movie, in order of discovery."""

    def content(name: str, found: bytes) -> list[bytes]:
        return [found] if "/" in name else sorted(line.removesuffix(b",") for line in found.splitlines())

    return [name for name in some if content(name, some[name]) != content(name, others[name])]
