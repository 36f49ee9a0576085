"""`make audit` for packages of npm: it tells known faults, and says so where a registry does not hand their list on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

ROOT = Path(__file__).resolve().parents[1]
FAULT = {"id": 1, "url": "https://example.org/1", "title": "A fault of preact", "severity": "high"}
FAULT |= {"vulnerable_versions": "*", "cwe": [], "cvss": {"score": 9, "vectorString": None}}


@contextmanager
def registry(status: int, faults: dict[str, object]) -> Iterator[str]:
    """The address of a registry that answers questions about faults with `status` and these, and knows no package."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(status, faults)

        def do_GET(self) -> None:
            self._answer(404, {})

        def _answer(self, status: int, body: object) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "faults", "code", "told"),
    [
        (200, {}, 0, "found 0 vulnerabilities"),
        (200, {"preact": [FAULT]}, 1, "A fault of preact"),
        (405, {}, os.EX_UNAVAILABLE, "the npm registry hands no list of known faults on: 405 Method Not Allowed"),
    ],
)
def test_packages_of_the_page_are_audited(
    tmp_path: Path, status: int, faults: dict[str, object], code: int, told: str
) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    with registry(status, faults) as address:
        own = {"npm_config_registry": address, "npm_config_cache": str(tmp_path), "npm_config_fetch_retries": "0"}
        command = [sys.executable, ROOT / "deploy" / "build_page.py", "audit"]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **own}, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert told in done.stdout + done.stderr
