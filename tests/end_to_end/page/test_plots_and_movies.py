"""Plots and lists of movies in a real browser: limits, what is marked, what is excluded."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from movies_for_tests import write_movie
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Route, expect
from sessions_for_tests import write_session

from warpcore.services.api import live_page

pytestmark = pytest.mark.skipif(not live_page.read_page(), reason="the live page is not built here")

MOVIES = 74
FAILED = 2
# How far along its way a finger is told to be.
PARTS = (0.02, 0.2, 0.4, 0.6, 0.8, 0.98)


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
    """Drag from one place to another, as shares of the element's width and height, once nothing moves it any more."""
    left, top, width, height = resting_box(place)
    for share, act in ((start, page.mouse.down), (end, page.mouse.up)):
        page.mouse.move(left + share[0] * width, top + share[1] * height, steps=4)
        act()


def resting_box(place: Locator) -> tuple[float, float, float, float]:
    """Left, top, width and height of an element once nothing moves it any more, CSS px."""
    place.hover(trial=True)
    box = place.bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"], box["height"]


def wait_for_values(page: Page) -> None:
    """Until every plot has its values: before that, what is drawn in it marks no movie."""
    expect(page.locator(".chart")).not_to_have_count(0)
    expect(page.locator(".chart[aria-busy=true]")).to_have_count(0)


def assert_choices_differ(page: Page, label: str, one: str) -> None:
    """Fail unless the list of columns `label` has `one`, and none twice."""
    choices = page.get_by_role("combobox", name=label, exact=True).locator("option")
    expect(choices.filter(has_text=one)).to_have_count(1)
    texts = choices.all_inner_texts()
    assert sorted(set(texts)) == sorted(texts)


def test_the_top_is_one_line_on_a_desk_and_no_view_is_wider_than_a_phone(
    session: Any, open_page: Callable[[str], Page]
) -> None:
    page = open_page(str(session.http.base_url))
    names = page.get_by_role("navigation", name="Views").get_by_role("link")
    first, zone = names.first.bounding_box(), page.get_by_role("button", name="UTC").bounding_box()
    assert first is not None
    assert zone is not None
    assert abs(first["y"] - zone["y"]) < first["height"], "1280 px hold both ends of the line"
    page.set_viewport_size({"width": 390, "height": 800})
    expect(page.get_by_role("region", name="Last processed").get_by_role("row")).not_to_have_count(0)
    for name in names.all_inner_texts():
        names.filter(has_text=name).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name


def test_limits_are_dragged_and_applied_and_what_is_marked_shows_everywhere(
    session: Any, open_page: Callable[[str], Page], barriers: Callable[[Page], list[str]]
) -> None:
    page = open_page(f"{session.http.base_url}/#/plots")
    before = counts(session)
    bar = page.get_by_role("region", name="Limits")
    judged = MOVIES - FAILED
    expect(bar).to_contain_text(f"keeps {before['processed']} of {judged} movies")

    assert_choices_differ(page, "Colour", "worker now")
    chart = page.get_by_role("region", name="res. Å over time")
    limit = chart.get_by_role("slider", name="Highest res. Å")
    field = chart.locator(".u-over")
    wait_for_values(page)
    *_, plot_height = resting_box(field)
    left, top, _, height = resting_box(limit)
    page.mouse.move(left + 200, top + height / 2)
    drag(page, limit.locator("span"), (0.5, 0.5), (0.5, 0.5 + 0.25 * plot_height / 14))
    expect(bar).to_contain_text(re.compile(r"res\. ≤ [\d.]+\sÅ \(now 5\sÅ\)"))
    dragged = limit.get_attribute("aria-valuetext")
    limit.press("ArrowDown")
    expect(limit).not_to_have_attribute("aria-valuetext", str(dragged))
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
    drag(page, page.get_by_role("region", name="defocus µm over time").locator(".u-over"), (0.1, 0), (0.5, 1))
    expect(marked).to_contain_text(re.compile(r"[1-9]\d* movies marked"))
    expect(marked.get_by_role("option").first).to_be_visible()
    expect(page).to_have_url(re.compile("marked="))
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


HISTOGRAM_IS_BESIDE_ITS_PLOT = """(before) => {
    const panel = document.querySelector('[aria-label="res. Å over time"]');
    const boxOf = (one) => panel.querySelector(one)?.getBoundingClientRect();
    const [plot, bars] = ['.u-over', '.chart-histogram'].map(boxOf);
    const drawn = plot && bars.width > 0 && plot.height > 0 && plot.height !== before;
    return drawn && plot.top === bars.top && plot.bottom === bars.bottom && plot.height;
}"""
"""The plot's height, CSS px, once it is another than before and the histogram's bars are as high and beside it."""


def test_bars_of_a_histogram_stand_at_the_values_of_its_plot_on_either_time_axis(
    session: Any, open_page: Callable[[str], Page]
) -> None:
    page = open_page(f"{session.http.base_url}/#/plots")
    expect(page.get_by_role("region", name="res. Å over time")).to_be_visible()
    height = page.wait_for_function(HISTOGRAM_IS_BESIDE_ITS_PLOT).json_value()
    page.get_by_role("button", name="Time", exact=True).click()
    expect(page).to_have_url(re.compile("x=acquired"))
    # Times stand above their days and take more room than numbers.
    assert page.wait_for_function(HISTOGRAM_IS_BESIDE_ITS_PLOT, arg=height).json_value() < height


def test_a_view_begins_at_its_top_below_the_navigation_and_going_back_returns(
    session: Any, open_page: Callable[[str], Page]
) -> None:
    page = open_page(f"{session.http.base_url}/#/plots")
    expect(page.get_by_role("region", name="res. Å over time")).to_be_visible()
    page.wait_for_function("() => { window.scrollTo(0, 150); return window.scrollY === 150; }")
    page.get_by_role("link", name="Settings", exact=True).click()
    page.wait_for_function("() => document.title.startsWith('Settings') && window.scrollY === 0")
    page.go_back()
    page.wait_for_function("() => document.title.startsWith('Plots') && window.scrollY === 150")
    expect(page.get_by_role("navigation", name="Views")).to_be_in_viewport()


def test_movies_are_walked_marked_excluded_and_taken_back_by_keys(
    session: Any, open_page: Callable[[str], Page], barriers: Callable[[Page], list[str]]
) -> None:
    page = open_page(f"{session.http.base_url}/#/movies?sort=name")
    gallery = page.get_by_role("listbox", name="Movies")
    expect(gallery.get_by_role("option")).not_to_have_count(0)
    assert gallery.get_by_role("option").count() < MOVIES
    assert_choices_differ(page, "Sort by", "defocus U Å")
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
    expect(excluded).to_have_count(2)
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
    expect(page).to_have_url(re.compile("filter="))
    again = open_page(page.url)
    expect(again.locator(".list-count")).to_have_text(f"{FAILED} of {MOVIES} movies")
    again.keyboard.press("ControlOrMeta+a")
    again.get_by_role("link", name="grid/m000036").click()
    again.get_by_role("link", name="Next movie").click()
    expect(again.get_by_role("heading", name="grid/m000073", level=2)).to_be_visible()
    again.keyboard.press("Escape")
    expect(again.locator(".list-count")).to_have_text(f"{FAILED} of {MOVIES} movies")
    expect(again.locator(".marked-count")).to_have_text(f"{FAILED} movies marked")


TOP_IN_LIST = "(row) => row.getBoundingClientRect().top - row.closest('[role=grid]').getBoundingClientRect().top"


def test_rows_in_view_stay_where_they_are_when_a_movie_comes_above_them(
    session: Any, open_page: Callable[[str], Page], wait_until: Callable[..., None]
) -> None:
    page = open_page(f"{session.http.base_url}/#/movies?show=table")
    table = page.get_by_role("grid", name="Movies")
    row = table.get_by_role("row").filter(has_text="m000040")
    # Before the list is there it has nothing to scroll.
    expect(page.locator(".list-count")).to_have_text(f"{MOVIES} movies")
    table.evaluate("(element) => { element.scrollTop = 600; }")
    expect(row).to_be_in_viewport()
    before = row.evaluate(TOP_IN_LIST)
    write_movie(session.data / "new.tif", np.full((2, 64, 64), 3, np.uint8))
    expect(page.locator(".list-count")).to_have_text(f"{MOVIES + 1} movies")
    wait_until(lambda: row.evaluate(TOP_IN_LIST) == before, what="the row where it was")


def test_times_are_shown_and_entered_as_times(session: Any, open_page: Callable[[str], Page]) -> None:
    columns = "name,acquired,run.foundAt,run.doneAt"
    page = open_page(f"{session.http.base_url}/#/movies?show=table&sort=name&columns={columns}")
    row = page.get_by_role("grid", name="Movies").get_by_role("row").filter(has_text="m000001")
    expect(row.get_by_role("gridcell")).to_have_text(["grid/m000001", *[re.compile(r"\d\d:\d\d:\d\d$")] * 3])
    page.get_by_role("button", name="Filter…").click()
    dialog = page.get_by_role("dialog", name="Show only movies with")
    dialog.get_by_label("Column").select_option("run.foundAt")
    dialog.get_by_label("from", exact=True).fill("2001-02-03T04:05:06")
    expect(dialog).to_contain_text("local time")
    dialog.get_by_role("button", name="Show").click()
    expect(page.locator(".chip")).to_contain_text("≥ 2001-02-03 04:05:06")
    expect(row).to_be_visible()

    plots = open_page(f"{session.http.base_url}/#/plots?columns=run.foundAt,ctf.defocusUm")
    expect(plots.get_by_role("slider", name="Lowest defocus µm").first).to_be_visible()
    expect(plots.get_by_role("slider", name="found")).to_have_count(0)


def test_a_plot_tells_that_its_values_are_still_to_come(session: Any, open_page: Callable[..., Page]) -> None:
    page = open_page("about:blank", str(session.http.base_url))
    held: list[Route] = []
    let_through = False
    page.route(
        re.compile("/api/series.*defocusUm"), lambda route: route.continue_() if let_through else held.append(route)
    )
    page.goto(f"{session.http.base_url}/#/plots?columns=ctf.defocusUm")
    plot = page.get_by_role("region", name="defocus µm over time")
    expect(plot).to_have_attribute("aria-busy", "true")
    expect(plot).not_to_contain_text("No movie")
    let_through = True
    for route in held:
        route.continue_()
    wait_for_values(page)


def test_no_two_plots_have_one_name(session: Any, open_page: Callable[[str], Page]) -> None:
    names = [column["name"] for column in session.get("/api/columns") if column["heading"] == "astig."]
    assert len(names) > 1
    page = open_page(f"{session.http.base_url}/#/plots?columns={','.join(names)}")
    plots = page.get_by_role("region", name="over time")
    expect(plots).to_have_count(len(names))
    assert len({plot.get_attribute("aria-label") for plot in plots.all()}) == len(names)


def test_a_column_without_a_value_says_so(session: Any, open_page: Callable[[str], Page]) -> None:
    against = "against=ctf.defocusUm,ctf.tiltDegrees"
    page = open_page(f"{session.http.base_url}/#/plots?columns=ctf.defocusUm,ctf.tiltDegrees&{against}")
    expect(page.get_by_role("region", name="tilt ° over time")).to_contain_text("No movie has this value yet.")
    both = page.get_by_role("region", name="tilt ° against defocus µm")
    expect(both).to_contain_text("No movie has both values yet.")
    expect(page.get_by_role("region", name="defocus µm over time")).not_to_contain_text("No movie")


def test_movies_are_marked_by_touch(
    session: Any,
    browser: Browser,
    signed_in: Callable[[BrowserContext, str], None],
    slowest_ms: float,
    barriers: Callable[[Page], list[str]],
) -> None:
    with browser.new_context(viewport={"width": 1024, "height": 768}, has_touch=True) as tablet:
        tablet.set_default_timeout(slowest_ms)
        signed_in(tablet, str(session.http.base_url))
        page = tablet.new_page()
        page.goto(f"{session.http.base_url}/#/plots?columns=ctf.defocusUm")
        field = page.get_by_role("region", name="defocus µm over time").locator(".u-over")
        page.get_by_role("button", name="Box", exact=True).click()
        expect(field).to_have_css("touch-action", "none")
        wait_for_values(page)
        left, top, width, height = resting_box(field)
        # Downwards first, as one scrolls.
        touch(page, [(left + (0.1 + 0.4 * part**8) * width, top + part * height) for part in PARTS])
        expect(page.locator(".marked-count")).to_have_text(re.compile(r"[1-9]\d* movies marked"))
        page.get_by_role("button", name="Move", exact=True).click()
        expect(field).to_have_css("touch-action", "pan-y")
        left, top, width, height = resting_box(field)
        apart = [0.1 * part * width for part in PARTS]
        middle = (left + width / 2, top + height / 2)
        touch(
            page, [(middle[0] - 30 - by, middle[1]) for by in apart], [(middle[0] + 30 + by, middle[1]) for by in apart]
        )
        expect(page.get_by_role("button", name="Whole")).to_be_enabled()

        page.goto(f"{session.http.base_url}/#/movies?sort=name")
        several = page.get_by_role("button", name="Mark several")
        expect(several).to_be_visible()  # Else the key is the former view's, which then keeps its URL.
        page.keyboard.press("Escape")
        several.tap()
        tiles = page.get_by_role("listbox", name="Movies").get_by_role("option")
        for tile in (0, 2, 4, 2):
            tiles.nth(tile).tap()
        expect(page.locator(".marked-count")).to_have_text("2 movies marked")
        assert barriers(page) == []


def touch(page: Page, *fingers: list[tuple[float, float]]) -> None:
    """Fingers, as the system tells of them: all down at their first places, along the others, and up."""
    system = page.context.new_cdp_session(page)
    for step, places in enumerate(zip(*fingers, strict=True)):
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        kind = "touchMove" if step > 0 else "touchStart"
        system.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    system.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_the_session_goes_on_showing_movies_that_are_to_run_again(
    session: Any, open_page: Callable[[str], Page], barriers: Callable[[Page], list[str]]
) -> None:
    session.http.patch("/api/settings", json={"ctf": {"range_max": 6.5}}).raise_for_status()
    assert not counts(session).get("processed")
    page = open_page(f"{session.http.base_url}/#/session")
    newest = page.get_by_role("region", name="Newest movie")
    expect(newest.get_by_role("link")).to_have_text(re.compile(r"^grid/m\d+$"))
    expect(newest).to_contain_text("to run again")
    expect(page.get_by_role("region", name="Last processed").get_by_role("row")).to_have_count(1 + 12)
    assert barriers(page) == []
