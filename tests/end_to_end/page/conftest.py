"""The system's chromium, driven by Playwright."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, expect, sync_playwright
from sessions_for_tests import write_session

from tests.waiting import crowd
from warpcore.services.access.token_files import own_token

SLOWEST_MS = 30_000
"""How long what a page should show may take, on a machine of its own."""
LONGEST_MS = 150_000
"""The same on any machine: well before pytest ends the test, so that the failure says what the page showed."""
STARTED_S = 120
"""How long a session with very many movies may take to start."""

ROOT = Path(__file__).resolve().parents[3]
AXE = ROOT / "services" / "api" / "page" / "node_modules" / "axe-core" / "axe.min.js"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for the tests of a module; where there is none, they are skipped.

    While Playwright is open an event loop runs in this thread, so that tests of other folders could run none.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium on this host: install it to test the live page")
    # Chromium's sandbox refuses to work for root, which containers often run as.
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=program, args=options, timeout=4 * SLOWEST_MS)
        yield launched
        launched.close()


@pytest.fixture(autouse=True)
def slowest_ms() -> float:
    """How long what a page should show may take now, as busy as the machine is; `expect` waits so long."""
    now = min(SLOWEST_MS * crowd(), LONGEST_MS)
    expect.set_options(timeout=now)
    return now


@pytest.fixture
def open_page(browser: Browser, slowest_ms: float) -> Iterator[Callable[..., Page]]:
    """`open_page(url)`: a tab without a history, signed in where the session there, or at `signed_in_at`, wants that.

    At the end, errors of the page's script fail the test. Beside a failure stands what the API refused.
    """
    errors: list[str] = []
    refused: list[str] = []

    def note(answer: Response) -> None:
        if not answer.ok:
            refused.append(f"{answer.request.method} {answer.url}: {answer.status} {answer.status_text}")

    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(slowest_ms)

    def opened(url: str, signed_in_at: str = "") -> Page:
        sign_in(context, signed_in_at or url)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("response", note)
        page.on("requestfailed", lambda asked: refused.append(f"{asked.method} {asked.url}: {asked.failure}"))
        page.on("crash", lambda crashed: errors.append(f"{crashed.url} crashed"))
        page.on("console", lambda message: errors.append(message.text) if "Content Security" in message.text else None)
        page.goto(url)
        return page

    yield opened
    print(*refused, sep="\n")
    context.close()
    assert not errors


@pytest.fixture
def signed_in() -> Callable[[BrowserContext, str], None]:
    """`signed_in(context, url)` signs a browser in as who runs the session at `url`."""
    return sign_in


def sign_in(context: BrowserContext, url: str) -> None:
    """Sign a browser in where a session of these tests wants that there."""
    token = own_token(url, {})
    if token is not None:
        answer = context.request.post(urljoin(url, "/api/sign-in"), data={"code": token})
        assert answer.ok, answer.text()


@functools.cache
def axe() -> tuple[str, str]:
    """The script of axe-core, or why it cannot be had. The page is installed without it, so it is fetched first."""
    command = [sys.executable, str(ROOT / "deploy" / "build_page.py"), "packages"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == os.EX_UNAVAILABLE:
        return "", done.stderr.strip()
    assert done.returncode == 0, done.stderr
    return AXE.read_text(), ""


@pytest.fixture
def barriers() -> Iterator[Callable[[Page], list[str]]]:
    """`barriers(page)`: what axe finds serious or critical for people who use keys or a screen reader.

    Where axe cannot be had it finds nothing, and a skip after the test says so; the rest of the test counts.
    """
    reasons = set()

    def found(page: Page) -> list[str]:
        script, reason = axe()
        if reason:
            reasons.add(reason)
            return []
        page.evaluate(script + "; 0")
        violations = page.evaluate("axe.run().then((results) => results.violations)")
        return [
            f"{one['id']}: {one['help']}: {one['nodes'][0]['html']}"
            for one in violations
            if one["impact"] in ("serious", "critical")
        ]

    yield found
    for reason in reasons:
        pytest.skip(f"barriers are not looked for: {reason}")


@pytest.fixture(scope="module")
def session_of(
    tmp_path_factory: pytest.TempPathFactory, module_up: Callable[..., Any], wait_until: Callable[..., None]
) -> Callable[..., Any]:
    """`session_of(count, *arguments)`: a session with so many finished movies, known to the API."""

    def started(count: int, *arguments: str) -> Any:
        folder = tmp_path_factory.mktemp(f"session{count}")
        data = folder / "movies"
        data.mkdir()
        write_session(data, folder / "results", count)
        session = module_up(data, folder / "results", "--workers", "0", *arguments)
        series = "/api/series?columns=status"
        wait_until(lambda: session.http.get(series).status_code == 200, STARTED_S, "the series")
        return session

    return started
