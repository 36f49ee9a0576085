"""The credentials in memory: what is refused counts, and a reading that nobody waits for is not lost."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import falcon.asgi
import pytest
from falcon import testing

from warpcore.services.access.credentials import Kind, RefusedCredentialError, TokenRole
from warpcore.services.access.tokens import TokenStore
from warpcore.services.api import errors
from warpcore.services.api.access import Access, Known
from warpcore.services.api.access import known as knowing
from warpcore.services.api.http.buckets import Rate
from warpcore.services.api.http.rates import FairShares


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    made = TokenStore(tmp_path / "tokens.db")
    made.make()
    return made


class _Plain:
    async def on_get(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Nothing."""

    on_post = on_get


def test_wrong_tokens_and_refused_changes_count_as_all_requests_do(store: TokenStore) -> None:
    shares = FairShares(rate=Rate(per_s=1e-9, burst=3))
    known = Known(store, lambda: None)
    app: Any = falcon.asgi.App(middleware=[Access(known, lambda what, why: None, shares), shares])
    app.set_error_serializer(errors.write_problem)
    app.add_route("/api/items", _Plain())
    app.add_route("/api/processing/pause", _Plain())
    viewer = store.add("eve", TokenRole.VIEW, None, time.time())

    def statuses(count: int, token: str, method: str, path: str) -> list[int]:
        headers = {"Authorization": f"Bearer {token}"}
        return [testing.simulate_request(app, method, path, headers=headers).status_code for _ in range(count)]

    assert statuses(4, "wrong", "GET", "/api/items") == [401, 401, 401, 429]
    assert testing.simulate_get(app, "/api/items", remote_addr="10.0.0.7").status_code == 401, "another address"
    asyncio.run(known.look())
    assert statuses(4, viewer, "POST", "/api/processing/pause") == [403, 403, 403, 429]


def test_a_revocation_that_was_read_when_nobody_waited_any_more_holds(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = store.add("ada", TokenRole.OPERATE, None, time.time())
    known = Known(store, lambda: None)
    begun, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(knowing, "LONGEST_LOOK_S", 0.05)

    def slowly(read: Callable[[], Any]) -> Callable[[], Any]:
        def newer() -> Any:
            found = read()
            begun.set()
            assert go_on.wait(120)
            return found

        return newer

    async def story() -> None:
        await known.look()
        await known.identify(token, Kind.TOKEN)
        store.revoke("ada", time.time())
        monkeypatch.setattr(known._file, "newer", slowly(known._file.newer))
        with pytest.raises(RefusedCredentialError):
            await known.identify("wrong", Kind.TOKEN)  # gives up waiting for the look that reads the revocation
        assert begun.wait(120)
        go_on.set()
        await known.look()
        with pytest.raises(RefusedCredentialError):
            await known.identify(token, Kind.TOKEN)

    asyncio.run(story())
