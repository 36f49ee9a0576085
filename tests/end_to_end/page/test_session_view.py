"""The session's view in a real browser follows a real session."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from movies_for_tests import write_movie
from playwright.sync_api import Page, expect

from warpcore.services.api import live_page

pytestmark = pytest.mark.skipif(not live_page.read_page(), reason="the live page is not built here")


def test_it_follows_a_session_pauses_it_and_keeps_the_last_state_when_it_ends(
    tmp_path: Path, up: Callable[..., Any], open_page: Callable[[str], Page]
) -> None:
    data = tmp_path / "movies"
    data.mkdir()
    session = up(data, tmp_path / "results", "--workers", "0", "--incubation", "0")
    page = open_page(str(session.http.base_url))
    progress = page.get_by_role("region", name="Progress")
    expect(progress.get_by_role("img", name="0 movies")).to_be_attached()
    write_movie(data / "first.tif", np.full((2, 64, 64), 3, np.uint8))
    expect(progress).to_contain_text("1 waiting")

    progress.get_by_role("button", name="Pause").click()
    expect(progress.get_by_role("button", name="Start")).to_be_visible()
    assert not session.get("/api/processing/status")["isProcessing"]
    page.keyboard.press("p")
    expect(progress.get_by_role("button", name="Pause")).to_be_visible()
    assert session.get("/api/processing/status")["isProcessing"]

    session.close()
    expect(page.locator(".connection")).to_contain_text("No connection to warpcore")
    expect(progress).to_contain_text("1 waiting")


def test_keys_and_choices_of_look_work_and_last_and_nobody_is_shut_out(
    tmp_path: Path, up: Callable[..., Any], open_page: Callable[[str], Page], barriers: Callable[[Page], list[str]]
) -> None:
    (tmp_path / "movies").mkdir()
    session = up(tmp_path / "movies", tmp_path / "results", "--workers", "0")
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
