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

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from warpcore.bus.vocabulary import ENDED
from warpcore.cli import preflight
from warpcore.cli.plan import Ports
from warpcore.services.access.token_files import own_token
from warpcore.services.client import Session

PICTURES = Path(__file__).parent / "images" / "page"
WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]
WIDTH, HEIGHT = 1440, 900
COLOURS = 256
"""Colours of a saved picture: few make small files, and the page has few."""
LONGEST_S = 900.0
MOST_LOOKS = 20
LOADED = """() => !document.body.innerText.includes("Loading.") && [...document.images].every(
    (image) => image.complete || image.getBoundingClientRect().top > innerHeight
)"""

GOOD = ["frames=12", "width=704", "height=704", "particles=40", "defocus_um=[0.6, 2.4]"]
BAD = [*GOOD, "drift_angstrom=150", "ice_thickness_angstrom=1500", "first_number=22"]
GOOD_MOVIES, BAD_MOVIES = 21, 3
SQUARE = 8
"""Movies in a square."""
SHOWN = "movie_0012"
"""The movie that is shown alone."""
CHANGES = (
    ("order", "latest"),
    ("select", "exclude", "movie_0003", "movie_0005"),
    ("undo",),
    ("settings", "set", "filter.junk_max=15"),
    ("export", "particles", "--set", "box_size=128"),
)
"""What a person does before the last pictures, for the audit log to tell."""
LOST = "gpu-host/0"
"""The worker that is lost, for an alarm to show."""


def _nothing(page: Page) -> None:
    """A view that is shown as it comes."""


def _change_setting(page: Page) -> None:
    page.get_by_label("range max").last.fill("5")
    page.get_by_text("1 setting changed: ").wait_for()


def _step_on(page: Page) -> None:
    page.keyboard.press("ArrowRight")
    page.locator(".tile.current").wait_for()


@dataclass(frozen=True)
class Shot:
    """A picture `name`.png of the page at a fragment of its URL, `height` px high, after `prepare`.

    `shown` is the CSS selector of what such a page shows once it knows the session.
    """

    name: str
    fragment: str
    shown: str
    height: int = HEIGHT
    prepare: Callable[[Page], None] = _nothing


WHILE_RUNNING = [
    Shot("session", "#/session", ".newest img"),
    Shot("workers", "#/workers", ".workers .attention", 300),
    Shot("alarms", "#/alarms", "tbody tr", 200),
    Shot("logs", "#/logs", ".log .line", 300),
]
WHEN_DONE = [
    Shot("plots", "#/plots", ".chart"),
    Shot("movies", "#/movies", ".tile img", prepare=_step_on),
    Shot("movie", f"#/movies/{SHOWN}", "[data-drawn]:not([data-drawn='0'])"),
    Shot("settings", "#/settings?search=ctf", ".setting-grid", 640, _change_setting),
    Shot("squares", "#/squares", ".squares tbody a"),
    Shot("failures", "#/failures", ".failures tbody tr", 240),
    Shot("exports", "#/exports/job-1", ".files li", 440),
    Shot("audit", "#/audit", "tbody tr", 400),
]


def main() -> None:
    """Simulate movies, process them, and save all pictures."""
    with TemporaryDirectory(prefix="warpcore-") as folder, ExitStack() as stack:
        # Else the page links to the sessions that happen to run on this host.
        runtime = Path(folder) / "runtime"
        runtime.mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
        data = Path(folder) / "movies"
        _simulate(data)
        ports = Ports(*preflight.usable_ports("127.0.0.1", Ports().by_option()))
        session = stack.enter_context(_session(data, Path(folder) / "results", ports))
        browser = stack.enter_context(_browser())
        _wait(session, lambda: any("lost" in alarm.text for alarm in session.alarms()), "an alarm")
        _wait(session, lambda: _ended(session) >= GOOD_MOVIES // 2, "half of the movies")
        for shot in WHILE_RUNNING:
            _save(browser, session, shot)
        session.wait_until_done(movies=GOOD_MOVIES + BAD_MOVIES + 1, timeout_s=LONGEST_S)
        for arguments in CHANGES:
            subprocess.run([*WARPCORE, *arguments, "--control-port", str(ports.control)], check=True)
        for shot in WHEN_DONE:
            _save(browser, session, shot)


def _simulate(data: Path) -> None:
    """Good movies, some with much drift in thick ice, and one that is cut off."""
    for count, options in ((GOOD_MOVIES, GOOD), (BAD_MOVIES, BAD)):
        sets = [text for option in options for text in ("--set", option)]
        subprocess.run([*WARPCORE, "simulate", str(data), "--movies", str(count), *sets], check=True)
    for number in range(1, GOOD_MOVIES + BAD_MOVIES + 1):
        (data / f"movie_{number:04d}.tif.mdoc").write_text(_mdoc(number), encoding="utf-8")
    (data / "movie_0000.tif").write_bytes((data / "movie_0001.tif").read_bytes()[:400_000])


def _mdoc(number: int) -> str:
    """SerialEM's metadata of a movie: squares of eight holes, 80 µm from each other; the bad movies are in the last."""
    square, hole = divmod(number - 1, SQUARE)
    x, y = 80 * square + 9 * (hole % 4), 25 * (square % 2) + 9 * (hole // 4)
    keys = [f"NavigatorLabel = {square + 1}-{hole + 1}", f"StagePosition = {x} {y}", "TargetDefocus = -1.5"]
    return "\n".join(["Voltage = 300", "[FrameSet = 0]", *keys, ""])


@contextmanager
def _session(data: Path, processing: Path, ports: Ports) -> Iterator[Session]:
    """`warpcore up` with one worker, and another one that dies."""
    options = [text for name, port in ports.by_option().items() for text in (name, str(port))]
    settings = [f"import.gain_path={data / 'gain.mrc'}", "import.dose_per_frame=1.5", "picking.diameter=136"]
    command = [*WARPCORE, "up", "--data", str(data), "--processing", str(processing), *options]
    command += [text for one in settings for text in ("--set", one)]
    up = subprocess.Popen([*command, "--workers", "1", "--heartbeat-timeout", "10"])
    try:
        session = Session(f"http://127.0.0.1:{ports.rest}")
        _lose_a_worker(session, processing, ports.controller)
        yield session
    finally:
        up.send_signal(signal.SIGTERM)
        up.wait()


def _lose_a_worker(session: Session, processing: Path, controller_port: int) -> None:
    """One of another host, by whose key it is called."""
    _wait(session, lambda: len(session.workers()) == 1, "the worker that stays, whose log the page shows first")
    host, _, name = LOST.partition("/")
    add = [*WARPCORE, "keys", "add", host, "--role", "worker", "--processing", str(processing)]
    key = subprocess.run(add, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    options = ["--name", name, "--key", key, "--controller-port", str(controller_port), "--device", "cpu"]
    worker = subprocess.Popen([*WARPCORE, "worker", *options])
    try:
        _wait(session, lambda: any(worker.id == LOST for worker in session.workers()), "a second worker")
    finally:
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


def _save(browser: Browser, session: Session, shot: Shot) -> None:
    page = browser.new_page(viewport={"width": WIDTH, "height": shot.height}, color_scheme="dark")
    page.request.post(f"{session.url}/api/sign-in", data={"code": own_token(session.url, {})})
    page.goto(f"{session.url}/{shot.fragment}")
    page.locator(shot.shown).first.wait_for()
    shot.prepare(page)
    image = Image.open(io.BytesIO(_at_rest(page)))
    PICTURES.mkdir(exist_ok=True)
    # This method keeps colours that few pixels have, such as those of statuses.
    few = image.convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(PICTURES / f"{shot.name}.png", optimize=True)
    page.close()


def _at_rest(page: Page) -> bytes:
    """A screenshot, once two in a row are alike; the last of many where the page never comes to rest."""
    page.wait_for_function(LOADED)
    former, now = b"", page.screenshot()
    for _ in range(MOST_LOOKS):
        if now == former:
            break
        former, now = now, page.screenshot()
    return now


def _ended(session: Session) -> int:
    """Movies that are done or have failed."""
    counts = session.status().counts
    return sum(counts.get(status, 0) for status in ENDED)


def _wait(session: Session, condition: Callable[[], bool], what: str) -> None:
    """Until `condition`, which is looked at after each event; some come every few seconds, whatever happens."""
    deadline = time.monotonic() + LONGEST_S
    for _ in session.events():
        if condition():
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {LONGEST_S:.0f} s for {what} in vain")


if __name__ == "__main__":
    main()
