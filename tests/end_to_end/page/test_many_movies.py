"""The live page in a real browser with a session of many movies, as after days at a microscope."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from warpcore.services.api import live_page

pytestmark = pytest.mark.skipif(not live_page.read_page(), reason="the live page is not built here")


@pytest.fixture(scope="module", params=[5_000, pytest.param(50_000, marks=pytest.mark.slow)])
def movies(request: pytest.FixtureRequest) -> int:
    """How many there are: what takes a while to start with is looked at each day with a tenth."""
    return int(request.param)


@pytest.fixture(scope="module")
def session(session_of: Callable[..., Any], movies: int) -> Any:
    """A session with so many movies."""
    return session_of(movies)


def many(count: int) -> str:
    """A count as the page writes it, its thousands apart."""
    return f"{count:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def test_a_limit_of_the_filter_acts_on_all(session: Any, movies: int, open_page: Callable[[str], Page]) -> None:
    page = open_page(f"{session.http.base_url}/#/plots")
    counts = session.get("/api/items/summary")["counts"]
    judged = many(movies - counts["failed"])
    bar = page.get_by_role("region", name="Limits")
    expect(bar).to_contain_text(f"keeps {many(counts['processed'])} of {judged} movies")
    limit = page.get_by_role("region", name="res. Å over time").get_by_role("slider", name="Highest res. Å")
    limit.press("ArrowDown")
    expect(bar).to_contain_text("(now 5")
    told = re.search(r"keeps ([\d\s]+) of", bar.inner_text())
    assert told is not None
    assert told[1] != many(counts["processed"])

    bar.get_by_role("button", name="Apply").click()
    dialog = page.get_by_role("dialog", name="Apply limits")
    dialog.get_by_role("button", name="Apply").click()
    expect(dialog).not_to_be_attached()
    expect(bar).to_contain_text(f"keeps {told[1]} of {judged} movies")
    expect(bar.get_by_role("button", name="Apply")).to_be_disabled()
    assert many(session.get("/api/items/summary")["counts"]["processed"]) == told[1]


def test_the_list_scrolls_to_the_last_movie_and_filters_and_excludes(
    session: Any, movies: int, open_page: Callable[[str], Page]
) -> None:
    page = open_page(f"{session.http.base_url}/#/movies?show=table&sort=name")
    count = page.locator(".list-count")
    expect(count).to_have_text(f"{many(movies)} movies")
    table = page.get_by_role("grid", name="Movies")
    rows = table.get_by_role("row")
    expect(rows.filter(has_text="m000000")).to_be_visible()
    table.evaluate("(element) => { element.scrollTop = element.scrollHeight; }")
    last = f"grid/m{movies - 1:06d}"
    row = rows.filter(has_text=last)
    expect(row).to_be_in_viewport()
    assert rows.count() < 100, "rows out of sight are drawn too"

    excluded = {"selection": "exclude", "ids": [session.get(f"/api/items/{last}")["id"]]}
    session.http.post("/api/selection", json=excluded).raise_for_status()
    expect(row).to_contain_text("exclude")

    failed = session.get("/api/items/summary")["counts"]["failed"]
    page.get_by_role("button", name="Filter…").click()
    dialog = page.get_by_role("dialog", name="Show only movies with")
    dialog.get_by_label("Column").select_option("status")
    dialog.get_by_label("failed").check()
    dialog.get_by_role("button", name="Show").click()
    expect(count).to_have_text(f"{many(failed)} of {many(movies)} movies")
    expect(rows.filter(has_text="failed").first).to_be_visible()
    expect(rows.filter(has_text="processed")).to_have_count(0)
    session.http.post("/api/selection", json={**excluded, "selection": "auto"}).raise_for_status()
