"""No secret of a session is told: keys, tokens, links, addresses of alarms, in any form, wherever one may look."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
import zmq
from movies_for_tests import write_movie
from secrets_for_tests import (
    HOOK_HEADER,
    answers,
    commands,
    found_in,
    notify_file,
    of_processes,
    secrets_of,
    told_by,
    written,
)

from tests.services.notifier.receivers import Hook

WARPCORE = [sys.executable, "-m", "warpcore.cli.main"]


def test_no_secret_is_told_or_written(
    up: Callable[..., Any], tmp_path: Path, wait_until: Callable[..., None], free_ports: Callable[[int], list[int]]
) -> None:
    """A movie of unknown pixel size is an alarm, which goes to a server that repeats the address in its answer."""
    data, processing, tapped = tmp_path / "data", tmp_path / "processing", tmp_path / "tap.jsonl"
    data.mkdir()
    hook = Hook()
    hook.status = 500
    notify = notify_file(tmp_path / "notify.toml", urlsplit(hook.url).port or 0, free_ports(1)[0])
    with hook.running():
        session = up(data, processing, "--workers", "1", "--incubation", "0.1", "--notify", str(notify))
        with tapped.open("wb") as out:
            tap = subprocess.Popen([*WARPCORE, "tap", "--json", *session.ports[-2:]], stdout=out)
        try:
            wait_until(lambda: b"heartbeat" in tapped.read_bytes(), 30, "an event on the tap")
            write_movie(data / "a.tif", np.random.default_rng(1).poisson(3, (2, 64, 64)).astype(np.uint8))
            secrets = much_is_done(session)
            wait_until(lambda: hook.asked, 30, "an alarm for the web server")
            assert hook.headers["Authorization"].startswith("Basic ")
            assert hook.headers["X-Api-Key"] == HOOK_HEADER
            wait_until(lambda: b"alarm." in tapped.read_bytes(), 30, "an alarm on the tap")
            assert not found_in(of_processes(session.process.pid), secrets)
            assert not found_in(answers(session), secrets)
            assert not found_in(commands(session, tmp_path), secrets)
        finally:
            tap.terminate()
            tap.wait(timeout=120)
    assert session.stop() == 0
    assert not found_in([("events", tapped.read_bytes()), ("what up prints", session.log.read_bytes())], secrets)
    assert not found_in(written(processing), secrets)
    assert secrets.items() <= {**secrets, **secrets_of(processing)}.items()


def much_is_done(session: Any) -> dict[str, bytes]:
    """Settings, a profile, an export, records, keys, tokens, links, and requests that are refused; all secrets then."""
    mine = ("--processing", str(session.processing))
    told_by("keys", "add", "gpu9", "--role", "worker", *mine)
    added = told_by("tokens", "add", "visitor", "--role", "view", *mine)
    token = next(one for one in added.split() if one.startswith("wct"))
    http = session.http
    http.patch("/api/settings", json={"ctf": {"voltage": 200}}).raise_for_status()
    http.put("/api/settings/profiles/mine", json={"settings": {}}).raise_for_status()
    link = http.post("/api/links", json={"name": "lab"}).raise_for_status().json()["fragment"].rpartition("=")[2]
    http.post("/api/export/micrographs", json={})
    http.get("/api/items", headers={"Authorization": f"Bearer {token}x"})
    told_by("records", "manifest", *mine)
    secrets = {**secrets_of(session.processing), "token": token.encode(), "link": link.encode()}
    assert {"server.toml", "keys/gpu9.toml", "operator.token", "mail password", "hook path"} <= secrets.keys()
    assert min(map(len, secrets.values())) > 12
    return secrets


def test_a_secret_is_found_in_every_form() -> None:
    """Else the test above could not fail."""
    _, key = zmq.curve_keypair()
    secret = b'pa"ss/word+&x-1234'
    told = {
        "plain": b"x" + secret,
        "json": json.dumps({"password": secret.decode()}).encode(),
        "url": quote(secret, safe="").encode(),
        "basic": base64.b64encode(b"user:" + secret),
        "basic of a longer name": base64.b64encode(b"users1:" + secret),
        "safe": base64.urlsafe_b64encode(secret),
        "hexadecimal": secret.hex().encode(),
    }
    for form, text in told.items():
        assert found_in([(form, text)], {"one": secret}) == [f"one in {form}"]
    assert found_in([("bytes", b"x" + zmq.utils.z85.decode(key))], {"key": key}) == ["key in bytes"]
    assert not found_in([("another", os.urandom(2000))], {"one": secret, "key": key})
