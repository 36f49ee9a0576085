"""Saves a screenshot of each view of the live page into docs/images/page, from a real session of simulated movies.

`make screenshots` runs it; it takes some minutes and needs a chromium on this host.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from warpcore.cli import preflight
from warpcore.cli.plan import Ports

PICTURES = Path(__file__).parent / "images" / "page"
WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]
WIDTH, HEIGHT = 1440, 900
COLOURS = 256
"""Colours of a saved picture: few make small files, and the page has few."""
LONGEST_S = 900.0
SETTLE_MS = 2500

GOOD = ["frames=12", "width=704", "height=704", "particles=40", "defocus_um=[0.6, 2.4]"]
BAD = [*GOOD, "drift_angstrom=150", "ice_thickness_angstrom=1500", "first_number=22"]
GOOD_MOVIES, BAD_MOVIES = 21, 3
SHOWN = "movie_0012"
"""The movie that is shown alone."""
LOST = "gpu-host/0"
"""The worker that is lost, for an alarm to show."""


def _nothing(page: Page) -> None:
    """A view that is shown as it comes."""


def _change_setting(page: Page) -> None:
    page.get_by_label("range max").last.fill("5")


def _step_on(page: Page) -> None:
    page.keyboard.press("ArrowRight")


@dataclass(frozen=True)
class Shot:
    """A picture `name`.png of the page at a fragment of its URL, `height` px high, after `prepare`."""

    name: str
    fragment: str
    height: int = HEIGHT
    prepare: Callable[[Page], None] = _nothing


WHILE_RUNNING = [
    Shot("session", "#/session"),
    Shot("workers", "#/workers", 300),
    Shot("alarms", "#/alarms", 200),
    Shot("logs", "#/logs", 300),
]
WHEN_DONE = [
    Shot("plots", "#/plots"),
    Shot("movies", "#/movies", prepare=_step_on),
    Shot("movie", f"#/movies/{SHOWN}"),
    Shot("settings", "#/settings?search=ctf", 640, _change_setting),
    Shot("failures", "#/failures", 240),
    Shot("exports", "#/exports/particles-1", 440),
]


def main() -> None:
    """Simulate movies, process them, and save all pictures."""
    with TemporaryDirectory(prefix="warpcore-") as folder, ExitStack() as stack:
        data = Path(folder) / "movies"
        _simulate(data)
        session = stack.enter_context(_session(data, Path(folder) / "results"))
        browser = stack.enter_context(_browser())
        _wait(lambda: any("lost" in one["text"] for one in session.get("/api/alarms").json()), "an alarm")
        _wait(lambda: _ended(session) >= GOOD_MOVIES // 2, "half of the movies")
        for shot in WHILE_RUNNING:
            _save(browser, session, shot)
        _wait(lambda: _ended(session) == GOOD_MOVIES + BAD_MOVIES + 1, "all movies")
        session.post("/api/export/particles", json={"options": {"box_size": 128}}).raise_for_status()
        _wait(lambda: session.get("/api/export/particles-1").json()["state"] == "done", "the export")
        for shot in WHEN_DONE:
            _save(browser, session, shot)


def _simulate(data: Path) -> None:
    """Good movies, some with much drift in thick ice, and one that is cut off."""
    for count, options in ((GOOD_MOVIES, GOOD), (BAD_MOVIES, BAD)):
        sets = [text for option in options for text in ("--set", option)]
        subprocess.run([*WARPCORE, "simulate", str(data), "--movies", str(count), *sets], check=True)
    (data / "movie_0000.tif").write_bytes((data / "movie_0001.tif").read_bytes()[:400_000])


@contextmanager
def _session(data: Path, processing: Path) -> Iterator[httpx.Client]:
    """`warpcore up` with one worker, and another one that dies; a client of its REST."""
    ports = Ports(*preflight.usable_ports("127.0.0.1", Ports().by_option()))
    options = [text for name, port in ports.by_option().items() for text in (name, str(port))]
    settings = [f"import.gain_path={data / 'gain.mrc'}", "import.dose_per_frame=1.5", "picking.diameter=136"]
    command = [*WARPCORE, "up", "--data", str(data), "--processing", str(processing), *options]
    command += [text for one in settings for text in ("--set", one)]
    up = subprocess.Popen([*command, "--workers", "1", "--heartbeat-timeout", "10"])
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{ports.rest}", timeout=30) as client:
            _wait(lambda: _answers(client), "the REST interface")
            _lose_a_worker(client, ports.controller)
            yield client
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait()


def _lose_a_worker(client: httpx.Client, controller_port: int) -> None:
    name, port = ["--name", LOST], ["--controller-port", str(controller_port)]
    worker = subprocess.Popen([*WARPCORE, "worker", *name, *port, "--device", "cpu"])
    _wait(lambda: any(one["id"] == LOST for one in client.get("/api/workers").json()["workers"]), "a second worker")
    worker.kill()
    worker.wait()


@contextmanager
def _browser() -> Iterator[Browser]:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("no chromium on this host: install it to make screenshots")
    # Chromium's sandbox refuses to work for root, which containers often run as.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=program, args=options)


def _save(browser: Browser, session: httpx.Client, shot: Shot) -> None:
    page = browser.new_page(viewport={"width": WIDTH, "height": shot.height}, color_scheme="dark")
    page.goto(f"{session.base_url}/{shot.fragment}")
    page.wait_for_load_state("load")
    page.wait_for_timeout(SETTLE_MS)
    shot.prepare(page)
    page.wait_for_timeout(SETTLE_MS)
    image = Image.open(io.BytesIO(page.screenshot()))
    PICTURES.mkdir(exist_ok=True)
    # This method keeps colours that few pixels have, such as those of statuses.
    few = image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(PICTURES / f"{shot.name}.png", optimize=True)
    page.close()


def _ended(session: httpx.Client) -> int:
    """Movies that are done or have failed."""
    counts: dict[str, Any] = session.get("/api/items/summary").json()["counts"]
    return sum(counts.get(status, 0) for status in ("processed", "filtered_out", "failed"))


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/api/health").status_code == 200
    except httpx.HTTPError:
        return False


def _wait(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {LONGEST_S:.0f} s for {what} in vain")
        time.sleep(0.5)


if __name__ == "__main__":
    main()
