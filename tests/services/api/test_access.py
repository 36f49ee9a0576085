"""Tokens, sign-in and roles over the real server: nobody, viewers and operators, and those whose token has ended."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.api.rest_session import Api, problem
from tests.waiting import crowd
from warpcore.services.access.credentials import SIGN_IN_FRAGMENT, TokenRole
from warpcore.services.access.operator import ensure_operator
from warpcore.services.access.places import Access
from warpcore.services.access.token_files import read_token
from warpcore.services.access.tokens import TokenStore

CHANGING = ("put", "post", "patch", "delete")
OPEN = {"get /api/health/live", "post /api/sign-in", "delete /api/sign-in"}
"""All that needs no token."""
FOR_OPERATORS = {"get /api/links", "get /api/sessions"}
ENDS_S = 6.0
"""A revoked token has ended by then; measured 0.25 s under a load of 10. Signs of life of quiet streams take 10 s."""
Wait = Callable[..., None]


@dataclass
class Guarded:
    """A session with tokens, and what a test needs of it."""

    api: Api
    store: TokenStore
    operator: str
    opened: ExitStack

    def client(self, token: str = "", **headers: str) -> httpx.Client:
        """A client that sends a token, or none, and keeps cookies."""
        given = {"Authorization": f"Bearer {token}"} if token else {}
        made = httpx.Client(base_url=self.api.http.base_url, timeout=30, headers={**given, **headers})
        return self.opened.enter_context(made)

    def token(self, name: str, role: TokenRole = TokenRole.VIEW, life_s: float = 3600) -> str:
        """A new token."""
        return self.store.add(name, role, time.time() + life_s, time.time())

    def operations(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Method, path with values for its variables, and what the OpenAPI document says of each operation."""
        values = defaultdict(lambda: "none")
        paths = self.client(self.operator).get("/api/openapi.json").json()["paths"]
        return [(m, p.format_map(values), told) for p, methods in paths.items() for m, told in methods.items()]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[Guarded]:
    """A session whose REST wants tokens."""
    folder = tmp_path_factory.mktemp("guarded")
    access = Access(folder / "access")
    ensure_operator(access, "ada@lab", time.time())
    token = read_token(access.operator_token)
    with closing(Api(folder, free_ports(5), access=access)) as api, ExitStack() as opened:
        api.wait()
        api.register("a.tif")
        yield Guarded(api, TokenStore(access.tokens), token, opened)


def test_nobody_may_do_anything_and_a_viewer_may_change_nothing(guarded: Guarded) -> None:
    viewer = guarded.client(guarded.token("viewer"))
    nobody = guarded.client()
    tried = 0
    for method, path, told in guarded.operations():
        if f"{method} {path}" in OPEN:
            assert told["security"] == []
            continue
        answer = problem(nobody.request(method, path), 401)
        assert "token" in answer["detail"]
        for_operators = method in CHANGING or f"{method} {path}" in FOR_OPERATORS
        assert told["x-role"] == ("operate" if for_operators else "view")
        if for_operators:
            assert "operate" in problem(viewer.request(method, path, json={}), 403)["detail"], f"{method} {path}"
            tried += 1
        elif not path.endswith("/events"):
            assert viewer.get(path).status_code not in (401, 403), path
    assert tried > 25
    assert "warpcore_movies" in viewer.get("/metrics").text
    assert guarded.api.http.get("/api/processing/status").json()["isProcessing"] is True


def test_paths_that_lead_nowhere_tell_nobody_so(guarded: Guarded) -> None:
    nobody = guarded.client()
    for path in ("/api/nothing", "/metrics", "/api", "/nothing", "/api//health/live", "/api/health/live/x"):
        problem(nobody.get(path), 401)
    problem(nobody.request("CONNECT", "/api/items"), 401)
    assert nobody.get("/api/health/live").json() == {"status": "ok"}
    assert nobody.get("/").status_code in (200, 503)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer wct_0_0",
        "Basic YWRhOng=",
        "Bearer {token}x",
        "{token}",
        "Token {token}",
        "Bearer {token} {token}",
        "Bearer \xff",
    ],
)
def test_wrong_tokens_are_refused(guarded: Guarded, header: str) -> None:
    value = header.format(token=guarded.operator).encode("latin-1")
    answer = httpx.get(f"{guarded.api.http.base_url}/api/items", headers={"Authorization": value}, timeout=120)
    problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_token_in_the_address_counts_nothing(guarded: Guarded) -> None:
    for name in ("token", "access_token", "code"):
        problem(guarded.client().get("/api/items", params={name: guarded.operator}), 401)


def test_an_expired_token_is_refused_and_says_so(guarded: Guarded, wait_until: Wait) -> None:
    for life_s in (1.5, 10.0, 60.0):  # on a busy machine one may have ended before it is used
        client = guarded.client(guarded.token(f"short-{life_s:g}", life_s=life_s))
        if was_good := client.get("/api/items").status_code == 200:
            break
    assert was_good
    wait_until(lambda: client.get("/api/items").status_code == 401, life_s + 5, "the end of the token")
    assert "expired" in problem(client.get("/api/items"), 401)["detail"]


def test_a_revoked_token_is_refused_and_its_streams_end(guarded: Guarded, wait_until: Wait) -> None:
    client = guarded.client(guarded.token("leaving"))
    with client.stream("GET", "/api/events") as events, client.stream("GET", "/api/squares/events") as squares:
        streams = [events.iter_raw(), squares.iter_raw()]
        assert all(next(stream) for stream in streams)
        guarded.store.revoke("leaving", time.time())
        revoked = time.monotonic()
        for stream in streams:
            for _ in stream:
                pass
        assert time.monotonic() - revoked < ENDS_S * crowd()
    assert "revoked" in problem(client.get("/api/items"), 401)["detail"]


def sign_in(client: httpx.Client, code: str) -> httpx.Response:
    """Exchange a code for a cookie."""
    return client.post("/api/sign-in", json={"code": code})


def test_a_browser_signs_in_once_by_a_code_and_out_again(guarded: Guarded) -> None:
    code = guarded.store.add_code("ada@lab", time.time())
    browser = guarded.client()
    assert "not signed in" in problem(browser.get("/api/sign-in"), 401)["detail"]
    answer = sign_in(browser, code)
    assert answer.json()["role"] == "operate"
    assert answer.headers["cache-control"] == "no-store"
    flags = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= flags
    assert "secure" not in flags
    assert browser.get("/api/sign-in").json()["user"] == "ada@lab"
    assert browser.post("/api/processing/start").status_code == 200
    assert "used" in problem(sign_in(guarded.client(), code), 401)["detail"]
    stolen = dict(browser.cookies)
    assert browser.delete("/api/sign-in").status_code == 204
    assert not browser.cookies
    problem(guarded.client(Cookie="; ".join(f"{k}={v}" for k, v in stolen.items())).get("/api/items"), 401)


def test_the_cookie_is_secure_where_a_proxy_ended_tls(guarded: Guarded) -> None:
    browser = guarded.client(**{"X-Forwarded-Proto": "https"})
    answer = sign_in(browser, guarded.operator)
    assert "secure" in {part.strip().lower() for part in answer.headers["set-cookie"].split(";")}


def test_a_cookie_ends_with_its_token(guarded: Guarded, wait_until: Wait) -> None:
    browser = guarded.client()
    sign_in(browser, guarded.token("bob", TokenRole.OPERATE)).raise_for_status()
    assert browser.get("/api/items").status_code == 200
    guarded.store.revoke("bob", time.time())
    wait_until(lambda: browser.get("/api/items").status_code == 401, ENDS_S, "the end of the sign-in")
    assert "revoked" in problem(browser.post("/api/processing/pause"), 401)["detail"]


def test_cookies_codes_and_tokens_do_not_stand_for_each_other(guarded: Guarded) -> None:
    browser = guarded.client()
    code = guarded.store.add_code("ada@lab", time.time())
    ((name, cookie),) = dict(sign_in(browser, code).cookies).items()
    problem(guarded.client(cookie).get("/api/items"), 401)
    problem(guarded.client(code).get("/api/items"), 401)
    problem(guarded.client(Cookie=f"{name}={guarded.operator}").get("/api/items"), 401)
    problem(sign_in(guarded.client(), cookie), 401)


def test_what_another_session_gave_out_is_worth_nothing_here(guarded: Guarded, tmp_path: Path) -> None:
    other = TokenStore(tmp_path / "tokens.db")
    other.make()
    other.add("ada@lab", TokenRole.OPERATE, None, time.time())
    code = other.add_code("ada@lab", time.time())
    problem(sign_in(guarded.client(), code), 401)
    cookie = other.exchange(code, time.time()).text
    own = f"warpcore-{guarded.store.session_id()}"
    problem(guarded.client(Cookie=f"{own}={cookie}").get("/api/items"), 401)
    # A browser sends the cookies of all sessions of a host to each of them.
    browser = guarded.client(Cookie=f"warpcore-{other.session_id()}={cookie}")
    problem(browser.get("/api/items"), 401)


def test_a_page_of_another_port_cannot_use_a_browsers_cookie_to_change(guarded: Guarded) -> None:
    browser = guarded.client()
    sign_in(browser, guarded.operator).raise_for_status()
    theirs = {"Origin": "http://127.0.0.1:1"}
    problem(browser.post("/api/processing/pause", headers=theirs), 403)
    problem(browser.post("/api/sign-in", json={"code": guarded.operator}, headers=theirs), 403)


def test_an_operator_gives_a_viewer_link_away_and_takes_it_back(guarded: Guarded, wait_until: Wait) -> None:
    operator = guarded.client(guarded.operator)
    made = operator.post("/api/links", json={"name": "lab-b", "days": 2, "browsers": 2})
    assert made.status_code == 201
    code = made.json()["fragment"].removeprefix(SIGN_IN_FRAGMENT)
    problem(operator.post("/api/links", json={"name": "lab-b"}), 409)
    for no_name in ("lab b", "lab-b\n"):
        problem(operator.post("/api/links", json={"name": no_name}), 422)
    viewers = [guarded.client(), guarded.client()]
    for viewer in viewers:
        assert sign_in(viewer, code).json()["role"] == "view"
    problem(sign_in(guarded.client(), code), 401)
    (shown,) = operator.get("/api/links").json()
    assert (shown["name"], shown["browsersLeft"], shown["signedIn"]) == ("lab-b", 0, 2)
    assert code not in operator.get("/api/links").text
    problem(viewers[0].post("/api/links", json={"name": "more"}), 403)
    problem(viewers[0].get("/api/links"), 403)
    assert viewers[1].delete("/api/sign-in").status_code == 204
    assert operator.get("/api/links").json()[0]["signedIn"] == 1
    assert operator.delete("/api/links/lab-b").status_code == 204
    assert "revoked" in problem(viewers[0].get("/api/items"), 401)["detail"]
    problem(operator.delete("/api/links/lab-b"), 404)
    problem(operator.delete("/api/links/ada@lab"), 404)


def test_what_the_api_changes_and_refuses_itself_is_in_the_audit_log(guarded: Guarded, wait_until: Wait) -> None:
    operator, viewer = guarded.client(guarded.operator), guarded.client(guarded.token("eve"))

    def told(action: str, outcome: str) -> list[str]:
        entries = operator.get("/api/audit?limit=1000").json()["entries"]
        return [one["detail"] for one in entries if one["outcome"] == outcome and one["action"].startswith(action)]

    operator.post("/api/links", json={"name": "lab-c", "days": 2}).raise_for_status()
    operator.delete("/api/links/lab-c").raise_for_status()
    assert told("link.", "done")[:2] == ["viewer link lab-c revoked", "viewer link lab-c made, for 2 days"]
    for _ in range(30):  # of a flood some are written, those of other tests count too
        problem(viewer.post("/api/processing/pause"), 403)
    wait_until(lambda: told("", "refused"), what="an entry of a refused request")
    assert all("needs a token with the role operate" in one for one in told("", "refused"))


def test_without_its_file_nobody_is_known(guarded: Guarded, wait_until: Wait) -> None:
    aside = guarded.store.path.with_suffix(".aside")
    guarded.store.path.rename(aside)
    try:
        wait_until(lambda: guarded.api.http.get("/api/items").status_code == 401, ENDS_S, "tokens without their file")
    finally:
        aside.rename(guarded.store.path)
    wait_until(lambda: guarded.api.http.get("/api/items").status_code == 200, ENDS_S, "tokens with their file")


def test_an_open_session_knows_no_sign_in(api: Api) -> None:
    assert api.http.get("/api/sign-in").json() == {"user": "", "role": "operate", "expiresAt": None, "isOpen": True}
    problem(sign_in(api.http, "wct_1_1"), 409)
    problem(api.http.get("/api/links"), 409)


def test_the_document_of_an_open_session_tells_of_no_roles(api: Api) -> None:
    document = api.http.get("/api/openapi.json").json()
    told = [one for methods in document["paths"].values() for one in methods.values()]
    assert "security" not in document
    for one in told:
        assert not {"x-role", "security"} & one.keys()
        assert "401" not in one["responses"] or one["operationId"] == "postSignIn"
