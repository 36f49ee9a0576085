"""One movie in a real browser: threshold, selection and picks by hand, on a real scheduler and API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.services.api.rest_session import Api
from tests.services.api.writing_worker import WritingWorker
from warpcore.bus import messages as m
from warpcore.services.api import live_page

pytestmark = pytest.mark.skipif(not live_page.read_page(), reason="the live page is not built here")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[Api]:
    """A session with two processed movies and one that has failed."""
    session = Api(tmp_path_factory.mktemp("movie"), free_ports(5))
    session.wait()
    picked = {"picking": {"diameter": 130}, "filter": {"particles_min": 0}}
    assert session.http.patch("/api/settings", json=picked).status_code == 200
    session.register("grid 1/a.tif", "grid 1/b.tif", "bad.tif")
    worker = WritingWorker(session.endpoints)
    yield session
    worker.close()
    session.close()


@pytest.fixture
def movie(api: Api, wait_until: Callable[..., None]) -> Callable[[str], dict[str, Any]]:
    """`movie(name)` as REST tells it; all movies have been processed before."""

    def told(name: str) -> dict[str, Any]:
        answer: dict[str, Any] = api.http.get(f"/api/items/{name}").json()
        return answer

    for name, status in (("grid 1/a", "processed"), ("grid 1/b", "processed"), ("bad", "failed")):
        wait_until(lambda name=name, status=status: told(name)["status"] == status)
    return told


def drawn(page: Page, api: Api, name: str) -> Locator:
    """The page of a movie, and its average once it is there."""
    page.goto(f"{api.http.base_url}/#/movies/{name}")
    average = page.get_by_role("img", name=f"Average of {name}")
    expect(average).not_to_have_attribute("data-drawn", "0")
    return average


def test_a_threshold_acts_at_once_and_is_applied_after_its_effect_was_told(
    api: Api, movie: Callable[[str], dict[str, Any]], open_page: Callable[[str], Page]
) -> None:
    page = open_page(str(api.http.base_url))
    drawn(page, api, "grid 1/a")
    picks = page.get_by_role("region", name="Picks")
    expect(picks).to_contain_text("keeps 1 particle of 2 candidates")
    picks.get_by_role("slider", name="Threshold").fill("0.15")
    expect(picks).to_contain_text("keeps 2 particles of 2 candidates; now 1 at 0.50")
    assert api.http.get("/api/settings").json()["picking"]["threshold"] == 0.5

    picks.get_by_role("button", name="Apply to the session").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("picking of 2 movies will run again, motion, CTF and export stay.")
    expect(dialog.get_by_role("listitem")).to_have_text("picking.threshold 0.5 → 0.15")
    dialog.get_by_label("by").fill("Ada")
    dialog.get_by_role("button", name="Apply", exact=True).click()
    expect(dialog).not_to_be_attached()
    assert api.http.get("/api/settings").json()["picking"]["threshold"] == 0.15
    assert api.http.get("/api/settings/history").json()[0]["by"] == "Ada"


def test_a_movie_is_excluded_by_a_key_and_that_is_undone(
    api: Api,
    movie: Callable[[str], dict[str, Any]],
    open_page: Callable[[str], Page],
    barriers: Callable[[Page], list[str]],
) -> None:
    page = open_page(str(api.http.base_url))
    drawn(page, api, "grid 1/b")
    selection = page.get_by_role("group", name="Selection")
    expect(selection.get_by_role("button", name="by filter")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("r")
    expect(page.get_by_text("grid 1/b has not failed.")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.keyboard.press("x")
    expect(page.get_by_text("grid 1/b excluded")).to_be_visible()
    expect(selection.get_by_role("button", name="exclude")).to_have_attribute("aria-pressed", "true")
    assert movie("grid 1/b")["selection"] == "exclude"
    page.keyboard.press("u")
    expect(selection.get_by_role("button", name="by filter")).to_have_attribute("aria-pressed", "true")
    assert movie("grid 1/b")["selection"] == "auto"
    assert barriers(page) == []


def test_a_pick_is_added_by_hand_and_undone(
    api: Api,
    movie: Callable[[str], dict[str, Any]],
    open_page: Callable[[str], Page],
    wait_until: Callable[..., None],
) -> None:
    page = open_page(str(api.http.base_url))
    average = drawn(page, api, "grid 1/a")
    picks = page.get_by_role("region", name="Picks")
    expect(picks).to_contain_text("of 2 candidates")
    # An edit is stored when it rests for a moment, which on a busy machine is over before the next one.
    page.route("**/picks/hand", lambda route: route.abort())
    page.keyboard.press("e")
    average.click()
    expect(picks).to_contain_text("1 added")
    expect(picks).to_contain_text("and 1 by hand")
    page.keyboard.press("Control+z")
    expect(picks).to_contain_text("0 added")
    page.keyboard.press("Control+Shift+Z")
    expect(picks).to_contain_text("1 added")
    page.unroute_all()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys.get_by_role("row", name="Ctrl+Z")).to_have_text(re.compile("Undo the last edit of picks$"))
    expect(keys.get_by_role("row", name="Ctrl+Shift+Z")).to_have_text(re.compile("Redo an edit of picks$"))
    page.keyboard.press("Escape")

    def stored() -> Any:
        return api.http.get("/api/items/grid 1/a/picks/hand").json()["hand"]["added"]

    wait_until(lambda: len(stored()) == 1)
    assert stored()[0] == pytest.approx([59.5, 44.5], abs=1.0)
    expect(page.get_by_role("link", name="Previous movie")).to_be_visible()
    page.keyboard.press("k")
    expect(page.get_by_role("img", name="Average of grid 1/b")).to_be_visible()
    expect(page.get_by_role("link", name="Next movie")).to_be_visible()
    page.keyboard.press("j")
    expect(picks).to_contain_text("1 added")
    expect(picks.get_by_role("button", name="Undo")).to_be_enabled()
    page.keyboard.press("u")
    expect(picks).to_contain_text("0 added")
    page.keyboard.press("u")
    expect(page.get_by_text("No edit of picks is left to undo.")).to_be_visible()
    expect(picks).to_contain_text("0 added")
    wait_until(lambda: stored() == [])


def test_an_edit_of_picks_waits_until_warpcore_answers_again(
    api: Api,
    movie: Callable[[str], dict[str, Any]],
    open_page: Callable[[str], Page],
    wait_until: Callable[..., None],
) -> None:
    page = open_page(str(api.http.base_url))
    average = drawn(page, api, "grid 1/b")
    picks = page.get_by_role("region", name="Picks")
    expect(picks).to_contain_text("of 2 candidates")
    page.keyboard.press("e")
    page.route("**/picks/hand", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        average.click()
    expect(picks).to_contain_text("storing")
    page.unroute_all()
    expect(picks).not_to_contain_text("storing")

    def added() -> int:
        return len(api.http.get("/api/items/grid 1/b/picks/hand").json()["hand"]["added"])

    assert added() == 1
    page.keyboard.press("Control+z")
    wait_until(lambda: added() == 0)


def test_training_is_off_with_its_reason_where_its_packages_are_missing(
    api: Api, movie: Callable[[str], dict[str, Any]], open_page: Callable[[str], Page]
) -> None:
    page = open_page("about:blank")
    reason = "Training needs packages that are missing here."
    page.route(
        "**/api/picker/train",
        lambda route: route.fulfill(json=route.fetch().json() | {"unavailable": reason}),
    )
    drawn(page, api, "grid 1/a")
    picker = page.get_by_role("region", name="Picker")
    expect(picker).to_contain_text(reason)
    expect(picker.get_by_role("button", name="Train on edited picks")).to_be_disabled()


def test_a_failed_movie_says_why_and_is_tried_again(
    api: Api, movie: Callable[[str], dict[str, Any]], open_page: Callable[[str], Page]
) -> None:
    attempts = len(movie("bad")["story"])
    page = open_page(f"{api.http.base_url}/#/movies")
    vain: list[str] = []
    page.on("response", lambda answer: vain.append(answer.url) if answer.status == 404 else None)
    page.goto(f"{api.http.base_url}/#/movies/bad")
    for panel in ("Picks", "Power spectrum and CTF fit", "Motion"):
        expect(page.get_by_role("region", name=panel)).to_contain_text("Not measured yet.")
    assert vain == []
    failure = page.get_by_role("region", name="Failure")
    expect(failure).to_contain_text("bad.tif: not a movie")
    failure.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("bad is tried again.")).to_be_visible()
    assert len(movie("bad")["story"]) > attempts


def test_a_failed_movie_is_forgotten_once_that_is_confirmed(
    api: Api,
    movie: Callable[[str], dict[str, Any]],
    open_page: Callable[[str], Page],
    wait_until: Callable[..., None],
    barriers: Callable[[Page], list[str]],
) -> None:
    api.register("gone/bad.tif")
    wait_until(lambda: movie("gone/bad")["status"] == "failed")
    listed = open_page(f"{api.http.base_url}/#/movies?filter=status:failed")
    tiles = listed.get_by_role("listbox", name="Movies").get_by_role("option")
    expect(tiles).to_have_count(2)
    listed.keyboard.press("ControlOrMeta+a")
    expect(listed.locator(".marked-count")).to_have_text("2 movies marked")

    page = open_page(f"{api.http.base_url}/#/failures")
    row = page.get_by_role("row").filter(has_text="gone/bad")
    forget = row.get_by_role("button", name="Forget gone/bad")
    forget.click()
    dialog = page.get_by_role("dialog", name="Forget gone/bad")
    expect(dialog).to_contain_text("This cannot be undone.")
    assert barriers(page) == []
    dialog.get_by_role("button", name="Keep").click()
    expect(dialog).not_to_be_attached()
    assert movie("gone/bad")["status"] == "failed"

    forget.click()
    dialog.get_by_role("button", name="Forget", exact=True).click()
    expect(page.get_by_text("gone/bad is forgotten.")).to_be_visible()
    expect(row).not_to_be_attached()
    assert api.http.get("/api/items/gone/bad").status_code == 404
    expect(listed.locator(".marked-count")).to_have_text("1 movie marked")
    expect(tiles).to_have_count(1)


def test_a_story_tells_when_where_and_in_which_task(
    api: Api, movie: Callable[[str], dict[str, Any]], open_page: Callable[[str], Page]
) -> None:
    (failed, *_) = [line for line in movie("bad")["story"] if "not a movie" in line["text"]]
    page = open_page(f"{api.http.base_url}/#/movies/bad")
    story = page.get_by_role("region", name="Story").get_by_role("listitem")
    expect(story.first).to_contain_text("found")
    told = story.filter(has_text="not a movie").first
    expect(told).to_contain_text(f"load, lease {failed['lease']} on host/1")
    expect(told.get_by_role("time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d$"))


def test_failed_movies_are_tried_again_by_kind_and_all_also_with_all_steps(
    api: Api, movie: Callable[[str], dict[str, Any]], open_page: Callable[[str], Page], wait_until: Callable[..., None]
) -> None:
    page = open_page(f"{api.http.base_url}/#/failures")

    def failed_at() -> int:
        return max(line["seq"] for line in movie("bad")["story"] if "not a movie" in line["text"])

    for name in ("Try all of this kind again", "Try all again"):
        for button in (name, f"{name} with all steps"):
            before = failed_at()
            page.get_by_role("button", name=button, exact=True).click()
            wait_until(lambda before=before: failed_at() > before, 10, f"the failure that follows {button}")


def test_a_movie_is_tried_with_other_settings_beside_its_present_result(
    api: Api, movie: Callable[[str], dict[str, Any]], open_page: Callable[[str], Page]
) -> None:
    page = open_page(str(api.http.base_url))
    drawn(page, api, "grid 1/b")
    panel = page.get_by_role("region", name="Try with other settings")
    panel.get_by_label("range max").fill("6")
    panel.get_by_role("button", name="Try", exact=True).click()
    tried = panel.get_by_role("region", name="Try with ctf.range_max = 6")
    expect(tried).to_contain_text("done")
    expect(tried.get_by_role("img", name="spectrum of the try")).to_be_visible()
    expect(tried.get_by_role("row", name="defocus").first).to_contain_text("1.2500")
    assert api.http.get("/api/settings").json()["ctf"]["range_max"] == 4.0
    tried.get_by_role("button", name="Forget").click()
    expect(tried).not_to_be_attached()


def test_a_movie_says_what_it_is_processed_with_who_told_it_and_what_it_waits_for(
    api: Api, open_page: Callable[[str], Page]
) -> None:
    told = m.Acquisition(source="waits.xml", voltage_kv=200.0, square="4", hole="17")
    header = m.Header(8, 64, 64)  # without a pixel size
    api.control.request(m.RegisterFiles([m.FoundFile("waits.tif", 1000, 1, header=header, acquisition=told)]))
    page = open_page(f"{api.http.base_url}/#/movies/waits")
    expect(page.get_by_text("waits: pixel size unknown")).to_be_visible()
    panel = page.get_by_role("region", name="Processed with")
    expect(panel.get_by_role("row", name="voltage")).to_have_text(re.compile("200.kV.*from metadata waits.xml"))
    expect(panel.get_by_role("row", name="pixel size")).to_contain_text("nobody tells it")
    expect(panel).to_contain_text(re.compile("optics group.*square.*4.*hole.*17"))
    voltage = page.get_by_label("voltage", exact=True)
    page.get_by_role("group", name="Step").get_by_role("button", name="ctf").click()
    expect(voltage).to_have_attribute("placeholder", "from metadata")
    expect(voltage).to_have_value("")

    conflict = "contradiction: ctf.voltage is 300 kV, and the metadata says 200 kV"
    api.http.patch("/api/settings", json={"ctf": {"voltage": 300}}).raise_for_status()
    expect(panel.get_by_role("row", name="voltage")).to_have_text(re.compile(f"300.kV.*set{conflict}"))
    api.http.patch("/api/settings", json={"ctf": {"voltage": None}}).raise_for_status()
    expect(panel.get_by_role("row", name="voltage")).to_contain_text("200")


def test_pictures_that_could_not_be_had_are_asked_for_again_when_the_connection_is_back(
    api: Api, movie: Callable[[str], dict[str, Any]], open_page: Callable[[str], Page]
) -> None:
    page = open_page("about:blank")
    pictures = re.compile("/picture/(spectrum|average)")
    page.route(pictures, lambda route: route.abort())
    page.goto(f"{api.http.base_url}/#/movies/grid 1/a")
    spectrum = page.get_by_role("region", name="Power spectrum")
    expect(spectrum).to_contain_text("No spectrum yet")
    page.unroute(pictures)
    with page.expect_response(lambda answer: "/picture/average" in answer.url and answer.ok):
        api.server.kill()
        api.server.wait()
        api.restart_server()
    expect(spectrum.get_by_role("img", name="Power spectrum")).to_have_js_property("complete", True)
    expect(spectrum).not_to_contain_text("No spectrum yet")
