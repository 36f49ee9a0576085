"""Settings, failures, audit and the views of services in a real browser, on a session that is restarted under them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace
from playwright.sync_api import Page, expect
from sessions_for_tests import write_session

from warpcore.bus.client import RequestClient
from warpcore.bus.messages import PoolLimits, ReportPool
from warpcore.bus.vocabulary import ServiceName
from warpcore.cli.own_keys import key_for
from warpcore.services.api import live_page

pytestmark = pytest.mark.skipif(not live_page.read_page(), reason="the live page is not built here")

MOVIES = 74
FAILED = 2
RESULTS = MOVIES - FAILED


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, module_up: Callable[..., Any]) -> Any:
    """A session with finished movies, two of which have failed, and nobody to process them again."""
    folder = tmp_path_factory.mktemp("session")
    (folder / "movies").mkdir()
    write_session(folder / "movies", folder / "results", MOVIES)
    return module_up(folder / "movies", folder / "results", "--workers", "0")


def counts(session: Any) -> dict[str, int]:
    counted: dict[str, int] = session.get("/api/items/summary")["counts"]
    return counted


def test_a_change_of_settings_is_told_in_words_applied_and_set_back(
    session: Any, open_page: Callable[[str], Page], wait_until: Callable[..., None]
) -> None:
    page = open_page(f"{session.http.base_url}/#/settings?search=ctf.range_max")
    value = page.get_by_label("range max")
    change = page.get_by_role("region", name="Change", exact=True)
    value.fill("0")
    expect(change).to_contain_text("1 value cannot be used")
    value.fill("5")
    expect(change).to_contain_text("ctf.range_max 4 → 5")
    words = f"CTF, picking and export of {RESULTS} movies will run again, motion stays"
    expect(change).to_contain_text(words)
    assert session.get("/api/settings")["ctf"]["range_max"] == 4
    change.get_by_label("by").fill("Ada")
    change.get_by_role("button", name="Apply").click()
    expect(change).to_contain_text("Change a value")
    assert session.get("/api/settings")["ctf"]["range_max"] == 5
    wait_until(lambda: counts(session)["outdated"] == RESULTS, 10, "the movies that run again")

    history = page.get_by_role("region", name="History")
    expect(history).to_contain_text(re.compile("Ada.*ctf.range_max 4 → 5"))
    history.get_by_role("button", name=re.compile("Set revision .* back")).first.click()
    expect(value).to_have_value("4")
    change.get_by_label("by").fill("")
    change.get_by_role("button", name="Apply").click()
    expect(history).to_contain_text(re.compile("page.*ctf.range_max 5 → 4"))
    wait_until(lambda: counts(session)["outdated"] == 0, 10, "the movies whose results fit again")


def test_a_profile_is_saved_loaded_into_the_form_and_forgotten(session: Any, open_page: Callable[[str], Page]) -> None:
    page = open_page(f"{session.http.base_url}/#/settings?search=picking.diameter")
    profiles = page.get_by_role("region", name="Profiles")
    for impossible in ("grid1/a", ".."):
        profiles.get_by_label("Name of a profile").fill(impossible)
        profiles.get_by_role("button", name="Save").click()
        expect(profiles.get_by_label("Name of a profile")).to_have_value(impossible)
    profiles.get_by_label("Name of a profile").fill("apoferritin")
    profiles.get_by_role("button", name="Save").click()
    session.http.patch("/api/settings", json={"picking": {"diameter": 155}}).raise_for_status()
    diameter = page.get_by_label("diameter", exact=True)
    expect(diameter).to_have_value("155")
    profiles.get_by_role("button", name="Load apoferritin").click()
    expect(diameter).to_have_value("140")
    expect(page.get_by_role("region", name="Change", exact=True)).to_contain_text("picking.diameter 155 → 140")
    assert session.get("/api/settings")["picking"]["diameter"] == 155
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("region", name="Change", exact=True)).to_contain_text("Change a value")
    assert session.get("/api/settings")["picking"]["diameter"] == 140
    profiles.get_by_role("button", name="Forget apoferritin").click()
    expect(profiles).to_contain_text("None is saved yet")


def warpcore(session: Any, *arguments: str) -> str:
    """What a command prints, of this session."""
    port = session.ports[session.ports.index("--control-port") + 1]
    command = [sys.executable, "-m", "warpcore.cli.main", *arguments, "--control-port", port]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=True).stdout


def test_what_is_changed_by_command_line_rest_and_page_is_told_by_all(
    session: Any, open_page: Callable[[str], Page]
) -> None:
    page = open_page(f"{session.http.base_url}/#/audit")
    rows = page.get_by_role("region", name="Audit").locator("tbody tr")
    warpcore(session, "settings", "set", "ctf.range_max=6")
    session.http.post("/api/processing/pause").raise_for_status()
    expect(rows.filter(has_text="ctf.range_max 4.0 → 6.0")).to_be_visible()
    expect(rows.first).to_contain_text("processing is paused")
    page.goto(f"{session.http.base_url}/#/settings?search=ctf.range_max")
    page.get_by_label("range max").fill("4")
    change = page.get_by_role("region", name="Change", exact=True)
    change.get_by_label("by").fill("Grace")
    change.get_by_role("button", name="Apply").click()
    expect(change).to_contain_text("Change a value")

    told = json.loads(warpcore(session, "audit", "--last", "3", "--json"))
    assert [one["action"] for one in told] == ["settings.patch", "processing.pause", "settings.patch"]
    assert [one["via"] for one in told] == ["api", "api", "cli"]
    (graces,) = session.get("/api/audit?user=grace")["entries"]
    assert graces["detail"].endswith("ctf.range_max 6.0 → 4.0")

    page.get_by_role("link", name="Audit").click()
    expect(rows.first).to_contain_text(re.compile("Grace.*settings .*: ctf.range_max 6.0 → 4.0"))
    page.get_by_label("About").select_option("profile")
    expect(rows.filter(has_text="Grace")).to_have_count(0)
    page.get_by_label("About").select_option("")
    page.get_by_label("By", exact=True).fill("grace")
    expect(rows).to_have_count(1)
    expect(page).to_have_url(re.compile("#/audit\\?user=grace$"))


def test_older_entries_of_the_audit_are_shown_when_they_are_asked_for(
    session: Any, open_page: Callable[[str], Page]
) -> None:
    for number in range(120):
        order = ("latest", "oldest")[number % 2]
        session.http.put("/api/processing/order", json={"order": order}).raise_for_status()
    page = open_page(f"{session.http.base_url}/#/audit?action=processing")
    rows = page.get_by_role("region", name="Audit").locator("tbody tr")
    expect(rows).to_have_count(100)
    page.get_by_role("button", name="Show older entries").click()
    expect(page.get_by_role("button", name="Show older entries")).not_to_be_attached()
    listed = rows.count()
    assert listed >= 120
    session.http.post("/api/processing/start").raise_for_status()
    expect(rows).to_have_count(listed + 1)
    expect(rows.first).to_contain_text("processing goes on")


def test_the_page_goes_on_after_its_services_were_killed_and_retries_what_failed(
    session: Any, open_page: Callable[[str], Page], wait_until: Callable[..., None]
) -> None:
    page = open_page(f"{session.http.base_url}/#/failures")
    group = page.get_by_role("region", name="input")
    expect(group).to_contain_text("the file ends early")
    page.evaluate("window.neverReloaded = true")
    for service in ("scheduler", "api"):
        for pid in session.pids("warpcore.cli.main", service):
            with suppress(ProcessLookupError):  # one may have ended with another
                os.kill(pid, signal.SIGKILL)
    line = page.locator(".connection")
    expect(line).to_contain_text("goes on by itself")
    expect(line).to_be_empty()
    group.get_by_role("button", name="Retry grid/m000036", exact=True).click()
    expect(page.get_by_role("region", name="input (1)")).not_to_contain_text("grid/m000036")
    page.get_by_role("button", name="Try all of this kind again", exact=True).click()
    expect(page.locator("main")).to_contain_text("No movie has failed")
    wait_until(lambda: counts(session)["unprocessed"] == FAILED, 10, "the movies that are tried again")
    assert page.evaluate("window.neverReloaded")


def test_an_alarm_is_told_everywhere_until_someone_has_seen_it(session: Any, open_page: Callable[[str], Page]) -> None:
    page = open_page(f"{session.http.base_url}/#/alarms")
    session.http.patch("/api/settings", json={"filter": {"resolution_max": 0.1}}).raise_for_status()
    alarm = page.get_by_role("row").filter(has_text="resolution")
    expect(alarm).to_contain_text("warning")
    badge = page.locator(".session-state").get_by_text("alarm")
    expect(badge).to_be_visible()
    alarm.get_by_role("button").click()
    expect(alarm).to_contain_text("seen")
    assert all(one["acknowledged"] for one in session.get("/api/alarms") if "resolution" in one["text"])
    session.http.patch("/api/settings", json={"filter": {"resolution_max": 5}}).raise_for_status()
    expect(alarm).not_to_be_attached()


def test_the_limits_of_a_pool_are_set_in_the_view_of_workers_and_reach_the_pool(
    session: Any, open_page: Callable[[str], Page], barriers: Callable[[Page], list[str]]
) -> None:
    port = int(session.ports[session.ports.index("--control-port") + 1])
    key = key_for(None, "127.0.0.1", port, ServiceName.POOL)
    report = ReportPool("gpu", "slurm", 0, 4, 3, 1, 2, 5, problems=["QOS limit"], log=["no CUDA device"])
    with RequestClient(f"tcp://127.0.0.1:{port}", "pool", key=key) as pool:
        pool.request(report)
        page = open_page(f"{session.http.base_url}/#/workers")
        panel = page.get_by_role("region", name="Pool gpu")
        expect(panel).to_contain_text("As the pool's file says.")
        expect(panel.get_by_role("list", name="Problems of pool gpu")).to_contain_text("QOS limit")
        most, apply = panel.get_by_label("at most"), panel.get_by_role("button", name="Apply")
        panel.get_by_label("at least").fill("6")
        expect(panel).to_contain_text("At least 6 and at most 4 workers cannot be.")
        expect(apply).to_be_disabled()
        most.fill("8")
        apply.click()
        expect(page.get_by_text("Pool gpu may have 6 to 8 workers")).to_be_visible()
        expect(panel).to_contain_text("The pool has not taken these limits over yet.")
        limits = pool.request(report)
        assert limits == PoolLimits(6, 8, 1, resume=False)
        with page.expect_response(lambda answer: answer.url.endswith("/api/pools/gpu") and answer.ok):
            panel.get_by_role("button", name="Resume").click()
        assert pool.request(replace(report, revision=1)) == PoolLimits(6, 8, 2, resume=True)
        assert barriers(page) == []
        pool.request(replace(report, ends=True))
        expect(panel).not_to_be_attached()


def test_an_export_is_started_cancelled_and_deleted_and_nobody_is_shut_out_of_a_view(
    session: Any, open_page: Callable[[str], Page], barriers: Callable[[Page], list[str]]
) -> None:
    page = open_page(f"{session.http.base_url}/#/exports")
    page.get_by_role("button", name="Start").click()
    job = page.get_by_role("article", name="job-1")
    job.get_by_role("button", name="Cancel").click()
    expect(job).to_contain_text("cancelled")
    expect(job).to_contain_text("No file yet.")
    expect(job).to_contain_text("particles: with the settings of the session")  # no folder was made
    assert session.get("/api/export/job-1")["state"] == "cancelled"
    job.get_by_role("button", name="Delete job-1").click()
    question = page.get_by_role("dialog", name="Delete job-1")
    expect(question).to_contain_text("This cannot be undone.")
    assert barriers(page) == []
    question.get_by_role("button", name="Keep").click()
    expect(job).to_be_visible()
    job.get_by_role("button", name="Delete job-1").click()
    question.get_by_role("button", name="Delete job-1").click()
    expect(job).not_to_be_attached()
    assert session.get("/api/exports")["jobs"] == []
    for view in ("exports", "settings", "workers", "failures", "alarms", "logs", "audit"):
        page.goto(f"{session.http.base_url}/#/{view}")
        expect(page.get_by_role("navigation").locator("[aria-current=page]")).to_have_text(view.capitalize())
        assert barriers(page) == [], view
    page.goto(f"{session.http.base_url}/#/logs/none")
    expect(page.get_by_role("log", name="Log of none")).to_contain_text("none")
