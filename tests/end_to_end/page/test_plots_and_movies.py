"""Plots and lists of movies in a real browser: limits, what is marked, what is excluded."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from movies_for_tests import write_movie
from playwright.sync_api import Locator, Page, expect
from sessions_for_tests import write_session

from warpcore.services.api import live_page

pytestmark = pytest.mark.skipif(not live_page.read_page(), reason="the live page is not built here")

MOVIES = 74
FAILED = 2


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, module_up: Callable[..., Any]) -> Any:
    """A session with finished movies, of which the filter rejects some."""
    folder = tmp_path_factory.mktemp("session")
    data = folder / "movies"
    data.mkdir()
    write_session(data, folder / "results", MOVIES)
    return module_up(data, folder / "results", "--workers", "0")


def counts(session: Any) -> dict[str, int]:
    counted: dict[str, int] = session.get("/api/items/summary")["counts"]
    return counted


def drag(page: Page, place: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag from one place to another, as shares of the element's width and height."""
    box = place.bounding_box()
    assert box is not None
    for share, act in ((start, page.mouse.down), (end, page.mouse.up)):
        page.mouse.move(box["x"] + share[0] * box["width"], box["y"] + share[1] * box["height"], steps=4)
        act()


def test_limits_are_dragged_and_applied_and_what_is_marked_shows_everywhere(
    session: Any, open_page: Callable[[str], Page], barriers: Callable[[Page], list[str]]
) -> None:
    page = open_page(f"{session.http.base_url}/#/plots")
    before = counts(session)
    bar = page.get_by_role("region", name="Limits")
    judged = MOVIES - FAILED
    expect(bar).to_contain_text(f"keeps {before['processed']} of {judged} movies")

    chart = page.get_by_role("region", name="res. over time")
    limit = chart.get_by_role("slider", name="Highest res.")
    field = chart.locator(".u-over")
    handle = limit.bounding_box()
    plot = field.bounding_box()
    assert handle is not None
    assert plot is not None
    page.mouse.move(handle["x"] + 200, handle["y"] + handle["height"] / 2)
    drag(page, limit.locator("span"), (0.5, 0.5), (0.5, 0.5 + 0.25 * plot["height"] / 14))
    expect(bar).to_contain_text(re.compile(r"res\. ≤ [\d.]+\sÅ \(now 5\sÅ\)"))
    limit.press("ArrowDown")
    told = re.search(r"keeps (\d+) of", bar.inner_text())
    assert told is not None
    kept = int(told[1])
    assert 0 < kept < before["processed"]
    assert counts(session) == before, "a limit has an effect before it is applied"

    bar.get_by_role("button", name="Apply").click()
    dialog = page.get_by_role("dialog", name="Apply limits")
    expect(dialog).to_contain_text(f"the filter takes out {before['processed'] - kept} movies")
    dialog.get_by_role("button", name="Apply").click()
    expect(dialog).not_to_be_attached()
    expect(bar).to_contain_text(f"keeps {kept} of {judged} movies")
    expect(bar.get_by_role("button", name="Apply")).to_be_disabled()
    assert counts(session)["processed"] == kept

    marked = page.get_by_role("region", name="Marked movies")
    drag(page, page.get_by_role("region", name="defocus over time").locator(".u-over"), (0.1, 0), (0.5, 1))
    expect(marked).to_contain_text(re.compile(r"[1-9]\d* movies marked"))
    expect(marked.get_by_role("option").first).to_be_visible()
    link = page.url
    text = marked.locator(".marked-count").inner_text()
    assert barriers(page) == []
    page.keyboard.press("j")
    expect(marked.locator(".tile.current")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(marked).to_contain_text("0 movies marked")
    for action in ("Open", "Include", "Exclude", "To filter"):
        expect(marked.get_by_role("button", name=action)).to_be_disabled()
    again = open_page(link)
    expect(again.get_by_role("region", name="Marked movies").locator(".marked-count")).to_have_text(text)


def test_movies_are_walked_marked_excluded_and_taken_back_by_keys(
    session: Any, open_page: Callable[[str], Page], barriers: Callable[[Page], list[str]]
) -> None:
    page = open_page(f"{session.http.base_url}/#/movies?sort=name")
    gallery = page.get_by_role("listbox", name="Movies")
    expect(gallery.get_by_role("option")).not_to_have_count(0)
    assert gallery.get_by_role("option").count() < MOVIES
    assert barriers(page) == []

    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    expect(page.get_by_text("grid/m000001 excluded")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_text("Undone: grid/m000001 excluded")).to_be_visible()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".marked-count")).to_have_text("2 movies marked")
    page.keyboard.press("x")
    excluded = gallery.get_by_role("option").filter(has_text="exclude")
    expect(excluded).to_have_count(2)
    assert session.items()["grid/m000001"]["selection"] == "exclude"
    page.reload()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    page.keyboard.press("u")
    expect(excluded).to_have_count(0)
    assert session.items()["grid/m000001"]["selection"] == "auto"

    page.keyboard.press("g")
    table = page.get_by_role("grid", name="Movies")
    table.get_by_role("columnheader", name="res.").get_by_role("button").click()
    expect(table.get_by_role("columnheader", name="res.")).to_have_attribute("aria-sort", "ascending")
    assert barriers(page) == []
    page.get_by_role("button", name="Filter…").click()
    dialog = page.get_by_role("dialog", name="Show only movies with")
    dialog.get_by_label("Column").select_option("status")
    dialog.get_by_label("failed").check()
    assert barriers(page) == []
    dialog.get_by_role("button", name="Show").click()
    expect(page.locator(".list-count")).to_have_text(f"{FAILED} of {MOVIES} movies")
    again = open_page(page.url)
    expect(again.locator(".list-count")).to_have_text(f"{FAILED} of {MOVIES} movies")


def test_rows_in_view_stay_where_they_are_when_a_movie_comes_above_them(
    session: Any, open_page: Callable[[str], Page]
) -> None:
    page = open_page(f"{session.http.base_url}/#/movies?show=table")
    table = page.get_by_role("grid", name="Movies")
    row = table.get_by_role("row").filter(has_text="m000040")
    table.evaluate("(element) => { element.scrollTop = 600; }")
    expect(row).to_be_visible()
    before = row.bounding_box()
    write_movie(session.data / "new.tif", np.full((2, 64, 64), 3, np.uint8))
    expect(page.locator(".list-count")).to_have_text(f"{MOVIES + 1} movies")
    assert row.bounding_box() == before
