"""A session with all walls at once: keys, tokens, https, names, group-writable folders, the audit log.

A worker from its one key file processes the movies. Page, commands of README and the Python client work as they do
without walls, by the same words.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from movies_for_tests import film_movie, write_movie
from playwright.sync_api import Browser, Page, expect
from readme_commands import of_a_session

from tests.services.api.certificates import made
from warpcore.bus.vocabulary import MovieStatus
from warpcore.services.client import ApiError, Session

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]
PUBLIC_NAME = "warpcore.lab.example"
PATIENCE_S = 400
"""For a few small movies, on a machine with very much else to do."""
SETTINGS = (
    *("import.recursive=true", "import.dose_per_frame=2", "import.pixel_size=2.2", "picking.diameter=136"),
    *("filter.resolution_max=null", "filter.motion_max=null"),
)


class Site:
    """The session, its certificate, and the worker on another host, which has its key file alone."""

    def __init__(self, session: Any, certificate: Path, folder: Path) -> None:
        self.session, self.certificate = session, certificate
        self.base = str(session.http.base_url)
        self.heard = folder / "heard"
        self.log = folder / "worker.log"
        made_key = self.run("warpcore keys add gpu1 --role worker").strip()
        key = shutil.copy(made_key, folder / "gpu1.toml")
        with self.log.open("wb") as log:
            command = [*WARPCORE, "worker", "--scheduler", "127.0.0.1", *session.ports[:2], "--device", "cpu"]
            self.worker = subprocess.Popen([*command, "--key", key], stdout=log, stderr=subprocess.STDOUT)

    def listen(self, command: str) -> subprocess.Popen[bytes]:
        """A command of the session's user, begun; what it prints stands in the file `heard`."""
        with self.heard.open("wb") as heard:
            return subprocess.Popen([*WARPCORE, *shlex.split(command)[1:]], stdout=heard)

    def run(self, command: str) -> str:
        """What a command prints, which must go well."""
        words = [*WARPCORE, *shlex.split(command)[1:]]
        done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def link(self) -> str:
        """The sign-in link that `up` has printed."""
        found = re.search(r"live page: (\S+)", self.session.log.read_text())
        assert found is not None
        return found[1]

    def add_movie(self, number: int) -> None:
        """A small one; the fourth is cut off."""
        path = self.session.data / "grid1" / f"movie_{number:04d}.tif"
        frames = film_movie(384, 2.2, defocus_um=1.5, seed=number)
        write_movie(path if number != 4 else path.with_suffix(".whole"), frames)
        if number == 4:
            path.write_bytes(path.with_suffix(".whole").read_bytes()[:-20_000])


@pytest.fixture(scope="module")
def site(module_up: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("walls")
    certificate, key = made(folder, names="DNS:localhost")
    (folder / "movies" / "grid1").mkdir(parents=True)
    (folder / "run").mkdir(mode=0o700)
    told = ["--tls-cert", str(certificate), "--tls-key", str(key), "--allow-host", PUBLIC_NAME]
    told += ["--bind", "0.0.0.0", "--workers", "0", "--group-writable", "--paused"]
    told += [word for one in SETTINGS for word in ("--set", one)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder / "run"))
        session = module_up(folder / "movies", folder / "processing", *told, certificate=certificate)
        site = Site(session, certificate, folder)
        for number in (1, 2, 4):
            site.add_movie(number)
        try:
            yield site
        finally:
            site.worker.terminate()
            site.worker.wait(30)


@pytest.fixture
def page(browser: Browser, slowest_ms: float) -> Iterator[Page]:
    """A browser that trusts the certificate; the page's script makes no error."""
    errors: list[str] = []
    context = browser.new_context(ignore_https_errors=True)
    context.set_default_timeout(slowest_ms)
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
    yield page
    context.close()
    assert not errors


@pytest.mark.timeout(3 * PATIENCE_S)
def test_page_client_and_all_commands_of_readme_work_with_all_walls(
    site: Site, page: Page, command: Callable[..., Any], wait_until: Callable[..., None]
) -> None:
    def run(line: str) -> str:
        done = command(*shlex.split(line)[1:])
        assert done.returncode == 0, f"{line}: {done.stderr}"
        return str(done.stdout)

    answer = page.goto(site.link())
    assert answer is not None
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["strict-transport-security"]
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    (cookie,) = page.context.cookies()
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")

    client = Session(site.base, ca=site.certificate)
    client.start()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()  # told by an event
    wait_until(lambda: site.session.settled(3), PATIENCE_S, "all movies")
    wanted = {1: MovieStatus.PROCESSED, 2: MovieStatus.PROCESSED, 4: MovieStatus.FAILED}
    assert site.session.statuses() == {f"grid1/movie_{number:04d}": status for number, status in wanted.items()}

    listening, said = [], {}
    for line in of_a_session():
        if line.startswith("warpcore first"):
            client.pause()
            site.add_movie(42)
            wait_until(lambda: "grid1/movie_0042" in site.session.statuses(), 60, "a movie that waits")
        if line.startswith("warpcore export"):
            client.start()
            wait_until(lambda: site.session.settled(4), PATIENCE_S, "all movies under the new setting")
        if line.startswith("warpcore tap"):
            listening.append(site.listen(line))

            def hears() -> bool:
                """It hears what happens once it has subscribed, and is not told of what was before."""
                for selection in ("include", "auto"):
                    client.select(selection, names=["grid1/movie_0001"])
                return site.heard.stat().st_size > 0

            wait_until(hears, 60, line)
            continue
        said[line] = run(line)
    assert "gpu1/" in said["warpcore status"]
    assert said["warpcore items --last 4"].count("processed") == 2
    (tap,) = listening
    wait_until(lambda: "task.finished" in site.heard.read_text(), 30, "an end of a task on the tap")
    tap.send_signal(signal.SIGINT)
    assert tap.wait(120) == 0

    report = site.session.processing.parent / "report.html"
    run(f"warpcore report {report} --ca {site.certificate}")
    assert "movie_0001" in report.read_text()
    told = json.loads(run("warpcore audit --json"))
    who = {(one["action"], one["via"]) for one in told}
    assert who >= {("settings.patch", "cli"), ("processing.pause", "cli"), ("processing.start", "cli")}
    assert who >= {("export.start", "cli"), ("processing.start", "api")}
    assert all(one["user"] for one in told if one["via"] != "start"), told
    page.goto(f"{site.base}/#/audit")
    expect(page.get_by_text("ctf.range_max").first).to_be_visible()
    for folder in ("average", "motion"):
        assert stat.S_IMODE((site.session.processing / folder).stat().st_mode) & stat.S_IWGRP, folder


def test_strangers_stay_out_and_the_public_name_is_let_in(site: Site) -> None:
    http = site.session.http
    assert http.get("/api/columns", headers={"Host": PUBLIC_NAME}).status_code == 200
    assert http.get("/api/columns", headers={"Host": "evil.example"}).status_code == 421
    with pytest.raises(ApiError, match="not known"):
        Session(site.base, ca=site.certificate, token="wct_0_0").columns()
    assert stat.S_IMODE(site.session.processing.stat().st_mode) & stat.S_IWGRP
    for one in (site.session.processing / ".warpcore" / "access").rglob("*"):
        assert not stat.S_IMODE(one.stat().st_mode) & 0o077, one


def test_a_revoked_worker_that_is_idle_says_so_within_seconds(site: Site, wait_until: Callable[..., None]) -> None:
    site.run("warpcore keys revoke gpu1")
    wait_until(lambda: "refuses this worker: this key was revoked" in site.log.read_text(), 30, "the worker's line")
    assert site.worker.poll() is None
