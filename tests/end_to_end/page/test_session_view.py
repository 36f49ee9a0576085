"""The session's view in a real browser follows a real session."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from movies_for_tests import write_movie
from playwright.sync_api import Page, expect

from warpcore.cli.simulation import simulate_movies
from warpcore.cli.simulation_options import SimulationOptions
from warpcore.services.api import live_page

pytestmark = pytest.mark.skipif(not live_page.read_page(), reason="the live page is not built here")

COLLECT_STEPS = """() => {
  window.steps = [];
  const look = () => {
    for (const { ariaLabel } of document.querySelectorAll('progress'))
      if (!window.steps.includes(ariaLabel)) window.steps.push(ariaLabel);
  };
  new MutationObserver(look).observe(document, { attributes: true, childList: true, subtree: true });
}"""
"""Keeps the label of each step's progress that the page shows, in `steps` of the window, which a reload would empty."""


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, module_up: Callable[..., Any]) -> Any:
    """A session without a movie and without a worker."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "movies").mkdir()
    return module_up(
        *(folder / "movies", folder / "results", "--workers", "0", "--incubation", "0"),
        *("--set", "import.pixel_size=1.1"),
    )


def test_keys_and_choices_of_look_work_and_last_and_nobody_is_shut_out(
    session: Any, open_page: Callable[[str], Page], barriers: Callable[[Page], list[str]]
) -> None:
    page = open_page(str(session.http.base_url))
    page.get_by_role("button", name="light").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    expect(page.get_by_role("button", name="light")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("region", name="Progress")).to_be_visible()
    expect(page.get_by_role("region", name="From found to done")).to_contain_text("No movie has been done since")
    assert barriers(page) == []
    page.get_by_role("button", name="dark").click()
    assert barriers(page) == []
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Start or pause processing")
    page.keyboard.press("Escape")
    expect(keys).not_to_be_attached()


def test_it_says_that_the_session_holds_while_a_folder_is_away(session: Any, open_page: Callable[[str], Page]) -> None:
    page = open_page(str(session.http.base_url))
    state = page.locator(".session-state")
    expect(state).to_contain_text("running")
    away = session.data.with_name("away")
    session.data.rename(away)
    expect(state).to_contain_text("on hold")
    told = page.get_by_role("list", name="Alarms").get_by_role("listitem").filter(has_text="is away")
    expect(told).to_have_count(1)
    expect(told).to_contain_text("on hold: data directory")
    sentence = page.locator(".sentence")
    expect(sentence).to_have_attribute("data-mood", "critical")
    for alarm in session.get("/api/alarms"):
        session.http.post("/api/alarms/acknowledge", json={"id": alarm["id"]}).raise_for_status()
    expect(sentence).to_have_attribute("data-mood", "attention")
    expect(told).to_have_count(1)
    away.rename(session.data)
    expect(state).to_contain_text("running")
    expect(told).to_have_count(0)


def test_it_follows_a_session_steers_it_and_keeps_the_last_state_when_it_ends(
    session: Any, open_page: Callable[[str], Page], wait_until: Callable[..., None]
) -> None:
    page = open_page(str(session.http.base_url))
    progress = page.get_by_role("region", name="Progress")
    expect(progress.get_by_role("img", name="0 movies")).to_be_attached()
    write_movie(session.data / "first.tif", np.full((2, 64, 64), 3, np.uint8))
    expect(progress).to_contain_text("1 waiting")
    expect(progress).to_contain_text("waiting: 1 movie left, no worker runs")
    notes = page.get_by_role("region", name="Notes")
    expect(notes).to_contain_text("the voltage is assumed to be 300 kV, as neither settings nor metadata tell it")
    session.http.patch("/api/settings", json={"ctf": {"voltage": 300}}).raise_for_status()
    expect(notes).not_to_contain_text("the voltage")

    progress.get_by_label("Next movie").select_option("newest first")
    wait_until(lambda: session.get("/api/processing/status")["order"] == "latest")
    progress.get_by_role("button", name="Pause").click()
    expect(progress.get_by_role("button", name="Start")).to_be_visible()
    assert not session.get("/api/processing/status")["isProcessing"]
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


@pytest.fixture(scope="module")
def working_session(tmp_path_factory: pytest.TempPathFactory, module_up: Callable[..., Any]) -> Any:
    """A paused session with a worker and two movies."""
    folder = tmp_path_factory.mktemp("working")
    # As many frames and pixels as in other tests, so that compiled kernels are shared.
    options = SimulationOptions(
        frames=4,
        height=256,
        width=256,
        pixel_size_angstrom=2.2,
        dose_per_frame=6.0,
        particles=10,
        defocus_um=(1.2, 2.0),
        gain=False,
    )
    simulate_movies(folder / "movies", 2, options=options, seed=3)
    settings = ("import.pixel_size=2.2", "import.dose_per_frame=6", "picking.diameter=130")
    unlimited = ("filter.motion_max=null", "filter.resolution_max=null")
    assignments = [part for one in (*settings, *unlimited) for part in ("--set", one)]
    return module_up(
        *(folder / "movies", folder / "results", "--workers", "1", "--incubation", "0", "--paused"), *assignments
    )


def test_a_session_runs_and_the_page_follows(
    working_session: Any, open_page: Callable[[str], Page], slowest_ms: float
) -> None:
    page = open_page(str(working_session.http.base_url))
    progress = page.get_by_role("region", name="Progress")
    newest = page.get_by_role("region", name="Newest movie")
    workers = page.get_by_role("region", name="Workers")
    expect(progress).to_contain_text("2 waiting")
    expect(newest).to_contain_text("No movie has been processed yet")
    expect(workers.get_by_role("row")).to_have_count(2)
    page.evaluate(COLLECT_STEPS)

    progress.get_by_role("button", name="Start").click()
    expect(progress.get_by_role("img", name="2 movies: 2 processed")).to_be_attached(timeout=4 * slowest_ms)
    steps = page.evaluate("window.steps")
    assert steps
    assert all(re.fullmatch(r"movie_000[12], (load|motion|ctf|picking|export|write)", step) for step in steps)

    # Movies that were there at the start are found in any order.
    last = max(working_session.items().values(), key=lambda item: item["results"]["run"]["doneAt"])
    expect(newest.get_by_role("link")).to_have_text(last["name"])
    expect(newest).to_contain_text(f"{last['results']['ctf']['defocusUm']:.2f}\N{NO-BREAK SPACE}µm")
    expect(newest).to_contain_text(re.compile(f"particles\\s*{last['results']['picking']['count']}"))
    pictures = newest.get_by_role("img")
    expect(pictures).to_have_count(3)
    for picture in pictures.all():
        expect(picture).not_to_have_js_property("naturalWidth", 0)
    expect(progress).to_contain_text(re.compile(r"[1-9]\d*\s*movies an hour"))
    expect(progress).to_contain_text(re.compile(r"0\s*left"))
    expect(workers).to_contain_text("idle")
