"""The secrets of a session, each in every form in which it could be told, and all places where they must not stand."""

from __future__ import annotations

import base64
import json
import re
import tomllib
import urllib.parse
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import zmq.utils.z85
from typer.testing import CliRunner

from warpcore.cli.main import app

HOOK_PASSWORD, HOOK_PATH, HOOK_HEADER = "pw-4f+/=hook&q", "services-b0-Xy7!z", "bearer-Qm3~k9"
MAIL_PASSWORD = 'mail "9d4\\sesame'


def notify_file(path: Path, hook_port: int, mail_port: int) -> Path:
    """Where alarms are sent: to a web and a mail server, each with secrets."""
    password = urllib.parse.quote(HOOK_PASSWORD, safe="")
    path.write_text(
        f"""
[webhook]
url = "http://facility:{password}@127.0.0.1:{hook_port}/{HOOK_PATH}"
headers = {{ X-Api-Key = "{HOOK_HEADER}" }}
[email]
to = ["operator@example.org"]
from = "warpcore@example.org"
server = "127.0.0.1"
port = {mail_port}
security = "none"
user = "me"
password = '{MAIL_PASSWORD}'
"""
    )
    path.chmod(0o600)
    return path


def secrets_of(processing: Path) -> dict[str, bytes]:
    """All secrets of a session by what they are: of its access directory, and where alarms are sent.

    Of other files there, `tokens.db` has hashes alone, and `changes.json` what waits for the audit log, for a moment.
    """
    found = {
        "hook password": HOOK_PASSWORD.encode(),
        "hook path": HOOK_PATH.encode(),
        "hook header": HOOK_HEADER.encode(),
        "mail password": MAIL_PASSWORD.encode(),
    }
    access = processing / ".warpcore/access"
    for file in access.rglob("*"):
        if file.suffix == ".toml":
            secret = tomllib.loads(file.read_text()).get("secret")
            if secret:
                found[str(file.relative_to(access))] = secret.encode()
        elif file.suffix == ".token":
            found[str(file.relative_to(access))] = file.read_bytes().strip()
    return found


def forms(secret: bytes) -> set[bytes]:
    """A secret as it could be written: itself, in JSON, URLs, hexadecimal and base64, that of its bytes where z85."""
    found = {secret, json.dumps(secret.decode())[1:-1].encode(), urllib.parse.quote(secret, safe="").encode()}
    raw = [secret]
    if re.fullmatch(rb"[0-9a-zA-Z.:+=^!/*?&<>()\[\]{}@%$#-]{40}", secret):
        raw.append(zmq.utils.z85.decode(secret))
    for one in raw:
        found |= {one, one.hex().encode()}
        for shift in range(3):  # in the midst of others, as where a name stands before a password
            encoded = base64.b64encode(bytes(shift) + one)
            whole = encoded[4 * (shift > 0) : -4]
            found |= {whole, whole.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def found_in(texts: Iterable[tuple[str, bytes]], secrets: dict[str, bytes]) -> list[str]:
    """Where a secret stands, and which."""
    wanted = [(name, form) for name, secret in secrets.items() for form in forms(secret)]
    return sorted({f"{name} in {where}" for where, text in texts for name, form in wanted if form in text})


def written(processing: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below the processing directory that is not in the access directory."""
    access = processing / ".warpcore/access"
    for path in processing.rglob("*"):
        if path.is_file() and not path.is_relative_to(access):
            with suppress(FileNotFoundError):
                yield str(path), path.read_bytes()


def of_processes(pid: int) -> Iterator[tuple[str, bytes]]:
    """Command lines and environments of all processes below one, as /proc shows them to others of the host."""
    for child in psutil.Process(pid).children(recursive=True):
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                yield f"{name} of process {child.pid}", Path(f"/proc/{child.pid}/{name}").read_bytes()


def answers(session: Any) -> Iterator[tuple[str, bytes]]:
    """What REST answers to all that can be read without a name, in body and headers."""
    for path, methods in session.get("/api/openapi.json")["paths"].items():
        if "get" in methods and "{" not in path and "event-stream" not in repr(methods["get"]):  # that has no end
            answer = session.http.get(path)
            yield path, answer.content + repr(answer.headers.items()).encode()
    yield "/metrics", session.http.get("/metrics").content


def commands(session: Any, folder: Path) -> Iterator[tuple[str, bytes]]:
    """What the command line tells and writes."""
    mine = ("--session", str(session.processing))
    for words in (
        ("settings", "get", *mine),
        ("settings", "history", *mine),
        ("settings", "explain"),
        ("status", *mine),
        ("audit", *mine),
        ("alarms", *mine),
        ("keys", "list", "--processing", str(session.processing)),
        ("tokens", "list", "--processing", str(session.processing)),
        ("sessions",),
    ):
        yield " ".join(words[:2]), told_by(*words).encode()
    report = folder / "report.html"
    told_by("report", str(report), *mine)
    yield "report", report.read_bytes()


def told_by(*words: str) -> str:
    """What a command prints, which must end well."""
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0, (words, ran.output, ran.exception)
    return ran.output
