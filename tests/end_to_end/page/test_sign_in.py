"""Signing in at the page: by the link of `up`, by a token, as a viewer by a link; and what ends that."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from warpcore.services.access.credentials import TokenRole
from warpcore.services.access.places import Access
from warpcore.services.access.tokens import TokenStore


@pytest.fixture(scope="module")
def session(session_of: Callable[[int], Any]) -> Any:
    """A session with some movies."""
    return session_of(3)


@pytest.fixture
def store(session: Any) -> TokenStore:
    """Its tokens."""
    return TokenStore(Access.of(None, session.processing).tokens)


@pytest.fixture
def strangers(browser: Browser, slowest_ms: float) -> Iterator[Callable[[], BrowserContext]]:
    """`strangers()`: a browser that nobody is signed in at."""
    contexts = []

    def opened() -> BrowserContext:
        contexts.append(browser.new_context())
        contexts[-1].set_default_timeout(slowest_ms)
        return contexts[-1]

    yield opened
    for context in contexts:
        context.close()


def link_of_up(session: Any) -> str:
    """The link that `up` has printed."""
    found = re.search(r"live page: (\S+)", session.log.read_text())
    assert found is not None
    return found[1]


def is_in(page: Page) -> None:
    """The page shows the session."""
    expect(page.get_by_role("navigation", name="Views")).to_be_visible()


def is_out(page: Page, why: str) -> None:
    """The page asks to sign in, and says why."""
    expect(page.get_by_role("form", name="Sign in")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text(why)
    expect(page.get_by_role("navigation", name="Views")).to_have_count(0)


def test_the_link_of_up_opens_the_page_once_and_leaves_no_code_behind(
    session: Any, strangers: Callable[[], BrowserContext]
) -> None:
    link = link_of_up(session)
    own = strangers()
    page = own.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(link)
    is_in(page)
    assert "sign-in=" not in page.url
    code = link.partition("#sign-in=")[2]
    assert code
    assert not [url for url in asked if code in url]
    assert page.evaluate("document.cookie") == "", "no script can read the cookie"
    page.reload()
    is_in(page)
    again = own.new_page()
    again.goto(link)
    is_in(again)
    other = strangers().new_page()
    other.goto(link)
    is_out(other, "used already")


def test_a_link_signs_in_also_where_the_page_is_open_already_and_asks_to_sign_in(
    session: Any, store: TokenStore, strangers: Callable[[], BrowserContext]
) -> None:
    page = strangers().new_page()
    page.goto(str(session.http.base_url))
    is_out(page, "not signed in")
    code = store.add_link("lab-c", time.time() + 600, 1, time.time())
    page.evaluate("link => { location.hash = link }", f"#sign-in={code}")
    is_in(page)
    assert "sign-in=" not in page.url
    store.revoke("lab-c", time.time())


def test_a_page_that_nobody_is_signed_in_at_asks_for_nothing_of_the_session(
    session: Any, strangers: Callable[[], BrowserContext]
) -> None:
    page = strangers().new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(str(session.http.base_url))
    is_out(page, "not signed in")
    page.wait_for_load_state("networkidle")
    assert [url for url in asked if "/api/" in url] == [f"{session.http.base_url}/api/sign-in"]


def test_a_token_signs_in_and_its_revocation_ends_that(
    session: Any, store: TokenStore, strangers: Callable[[], BrowserContext], barriers: Callable[[Page], list[str]]
) -> None:
    token = store.add("bob", TokenRole.OPERATE, None, time.time())
    page = strangers().new_page()
    page.goto(str(session.http.base_url))
    is_out(page, "not signed in")
    assert barriers(page) == []
    page.get_by_label("token").fill("wct_0_0")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not known")
    page.get_by_label("token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    is_in(page)
    expect(page.get_by_role("button", name="Pause")).to_be_enabled()
    store.revoke("bob", time.time())
    is_out(page, "revoked")


def test_signing_out_ends_it_at_this_browser(
    session: Any, store: TokenStore, strangers: Callable[[], BrowserContext]
) -> None:
    page = strangers().new_page()
    page.goto(f"{session.http.base_url}/#sign-in={store.add('eve', TokenRole.VIEW, None, time.time())}")
    is_in(page)
    page.get_by_role("button", name="Account eve").click()
    page.get_by_role("menuitem", name="Sign out").click()
    is_out(page, "You have signed out")
    page.reload()
    is_out(page, "not signed in")


def test_a_viewer_link_shows_the_session_and_changes_nothing(
    session: Any,
    strangers: Callable[[], BrowserContext],
    open_page: Callable[[str], Page],
    barriers: Callable[[Page], list[str]],
) -> None:
    operator = open_page(str(session.http.base_url))
    operator.context.grant_permissions(["clipboard-read", "clipboard-write"])
    operator.get_by_role("button", name="Account").click()
    operator.get_by_role("menuitem", name="Share").click()
    operator.get_by_label("for").fill("lab-b")
    operator.get_by_role("button", name="Make a link").click()
    link = operator.get_by_label("link, shown this once").input_value()
    operator.get_by_role("button", name="Copy").click()
    expect(operator.get_by_role("log")).to_contain_text("copied")
    assert operator.evaluate("navigator.clipboard.readText()") == link
    assert barriers(operator) == []
    viewer = strangers().new_page()
    viewer.goto(link)
    is_in(viewer)
    expect(viewer.get_by_role("note")).to_contain_text("lab-b may see this session and change nothing")
    assert barriers(viewer) == []
    pause = viewer.get_by_role("button", name="Pause")
    expect(pause).to_be_disabled()
    assert "change nothing" in (pause.get_attribute("title") or "")
    viewer.keyboard.press("p")
    expect(viewer.get_by_role("alert")).to_contain_text("change nothing")
    assert session.get("/api/processing/status")["isProcessing"] is True
    operator.get_by_role("button", name="Revoke lab-b").click()
    is_out(viewer, "revoked")
    expect(operator.get_by_text("No viewer link holds.")).to_be_visible()
