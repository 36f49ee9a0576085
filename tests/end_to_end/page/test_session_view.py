"""The session's view in a real browser follows a real session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from movies_for_tests import write_movie
from playwright.sync_api import Page, expect

from warpcore.services.api import live_page

pytestmark = pytest.mark.skipif(not live_page.read_page(), reason="the live page is not built here")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, module_up: Callable[..., Any]) -> Any:
    """A session without a movie and without a worker."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "movies").mkdir()
    return module_up(folder / "movies", folder / "results", "--workers", "0", "--incubation", "0")


def test_keys_and_choices_of_look_work_and_last_and_nobody_is_shut_out(
    session: Any, open_page: Callable[[str], Page], barriers: Callable[[Page], list[str]]
) -> None:
    page = open_page(str(session.http.base_url))
    page.get_by_role("button", name="light").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.get_by_role("button", name="light")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("region", name="Progress")).to_be_visible()
    assert barriers(page) == []
    page.get_by_role("button", name="dark").click()
    assert barriers(page) == []
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Start or pause processing")
    page.keyboard.press("Escape")
    expect(keys).not_to_be_attached()


def test_it_follows_a_session_steers_it_and_keeps_the_last_state_when_it_ends(
    session: Any, open_page: Callable[[str], Page]
) -> None:
    page = open_page(str(session.http.base_url))
    progress = page.get_by_role("region", name="Progress")
    expect(progress.get_by_role("img", name="0 movies")).to_be_attached()
    write_movie(session.data / "first.tif", np.full((2, 64, 64), 3, np.uint8))
    expect(progress).to_contain_text("1 waiting")
    expect(progress).to_contain_text("waiting: 1 movie left, no worker runs")

    progress.get_by_label("Next movie").select_option("newest first")
    progress.get_by_role("button", name="Pause").click()
    expect(progress.get_by_role("button", name="Start")).to_be_visible()
    status = session.get("/api/processing/status")
    assert (status["isProcessing"], status["order"]) == (False, "latest")
    page.keyboard.press("p")
    expect(progress.get_by_role("button", name="Pause")).to_be_visible()
    assert session.get("/api/processing/status")["isProcessing"]

    line = page.locator(".connection")
    page.route("**/api/**", lambda route: route.fulfill(content_type="text/html", body="<form>login</form>"))
    expect(line).to_contain_text("Sign in again")
    page.unroute_all()
    expect(line).to_be_empty()

    session.close()
    expect(line).to_contain_text("No connection to warpcore")
    expect(progress).to_contain_text("1 waiting")
