"""How the live page is served, and its own tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import falcon.asgi
import falcon.testing
import pytest

from warpcore.services.api.live_page import read_page, routes

ROOT = Path(__file__).resolve().parents[3]
INDEX = '<script src="/page/page-ABC.js"></script>'
SCRIPT = "const answer = 42;\n" * 100


def served(folder: Path) -> falcon.testing.TestClient:
    app = falcon.asgi.App()
    for path, resource in routes(read_page(folder)).items():
        app.add_route(path, resource)
    return falcon.testing.TestClient(app)


@pytest.fixture
def page(tmp_path: Path) -> falcon.testing.TestClient:
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "page-ABC.js").write_text(SCRIPT)
    return served(tmp_path)


def test_the_index_is_asked_for_each_time_and_loads_nothing_from_elsewhere(page: falcon.testing.TestClient) -> None:
    answer = page.simulate_get("/")
    assert answer.text == INDEX
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_files_with_a_hash_are_kept_by_the_browser(page: falcon.testing.TestClient) -> None:
    plain = page.simulate_get("/page/page-ABC.js")
    assert plain.text == SCRIPT
    assert plain.headers["content-type"].startswith("text/javascript")
    assert "immutable" in plain.headers["cache-control"]
    packed = page.simulate_get("/page/page-ABC.js", headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.content) < len(plain.content) / 10


@pytest.mark.parametrize("name", ["index.html", "page-OLD.js", "..%2Fapp.py", "..%2F..%2Fapp.py"])
def test_nothing_else_is_served(page: falcon.testing.TestClient, name: str) -> None:
    assert page.simulate_get(f"/page/{name}").status_code == 404


def test_a_page_that_is_not_built_says_in_one_line_what_to_do(tmp_path: Path) -> None:
    answer = served(tmp_path / "nothing").simulate_get("/")
    assert answer.status_code == 503
    assert answer.text.count("\n") == 1
    assert "pip install" in answer.text


def test_its_pure_parts_pass_their_own_tests() -> None:
    command = [sys.executable, str(ROOT / "deploy" / "build_page.py"), "test"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    if done.returncode == os.EX_UNAVAILABLE:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Tests +\d+ passed", done.stdout)
