"""`warpcore tokens`: what is made, shown once, listed and revoked."""

from __future__ import annotations

import json
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warpcore.cli.errors import CliError
from warpcore.cli.remote import asker
from warpcore.cli.tokens import lifetime_s
from warpcore.services.access.changes import noted
from warpcore.services.access.credentials import SIGN_IN_FRAGMENT, RefusedCredentialError, TokenRole
from warpcore.services.access.operator import ensure_operator
from warpcore.services.access.places import Access
from warpcore.services.access.private import AccessError
from warpcore.services.access.token_files import own_token
from warpcore.services.access.tokens import TokenStore

Command = Callable[..., Any]


@pytest.fixture
def where(tmp_path: Path) -> list[str]:
    """The option that names the access directory."""
    return ["--access", str(tmp_path / "access")]


def holder(where: list[str], text: str) -> tuple[str, str]:
    """Name and role of who signs in by a text. Raises RefusedCredentialError."""
    found = TokenStore(Access(Path(where[1])).tokens).exchange(text, time.time()).holder
    return found.name, found.role


def test_a_token_is_printed_once_listed_without_its_text_and_revoked(command: Command, where: list[str]) -> None:
    made = command("tokens", "add", "ada", "--role", "operate", "--expires", "7d", *where)
    token = made.stdout.strip()
    assert made.returncode == 0
    assert holder(where, token) == ("ada", "operate")
    assert "until" in made.stderr
    command("tokens", "link", "lab-b", *where)
    listed = command("tokens", "list", *where).stdout
    titles, ada, link = listed.splitlines()
    assert titles.split() == ["name", "kind", "role", "browsers", "made", "holds"]
    assert ada.split()[:4] == ["ada", "token", "operate", "1"]
    assert link.split()[:4] == ["lab-b", "link", "view", "0"]
    assert token not in listed
    command("tokens", "revoke", "lab-b", *where)
    row, _ = json.loads(command("tokens", "list", "--json", *where).stdout)
    assert (row["name"], row["kind"], row["holds"], row["browsers"]) == ("ada", "token", True, 1)
    assert row["expires_at"] - row["made_at"] == pytest.approx(7 * 86400)
    again = command("tokens", "add", "ada", "--role", "view", *where)
    assert (again.returncode, again.stdout) == (1, "")
    assert "revoke" in again.stderr
    assert command("tokens", "revoke", "ada", *where).returncode == 0
    with pytest.raises(RefusedCredentialError):
        holder(where, token)
    assert "revoked" in command("tokens", "list", *where).stdout
    assert "ada" in command("tokens", "revoke", "ada", *where).stderr


def test_a_token_for_programs_is_written_for_its_user_alone(command: Command, where: list[str], tmp_path: Path) -> None:
    file = tmp_path / "scrape.token"
    made = command("tokens", "add", "prometheus", "--role", "view", "--expires", "never", "--file", str(file), *where)
    assert made.stdout == ""
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert holder(where, own_token("http://127.0.0.1:1", {}, file) or "") == ("prometheus", "view")
    file.chmod(0o644)
    with pytest.raises(AccessError, match="chmod 600"):
        own_token("http://127.0.0.1:1", {}, file)
    refused = command("report", str(tmp_path / "r.html"), "--token-file", str(file))
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)


def test_a_token_that_cannot_be_written_to_its_file_is_not_left_in_force(
    command: Command, where: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "gone" / "bob.token"
    made = command("tokens", "add", "bob", "--role", "view", "--file", str(file), *where)
    assert made.returncode == 1
    assert f"{file} cannot be written" in made.stderr
    (row,) = json.loads(command("tokens", "list", "--json", *where).stdout)
    assert row["holds"] is False


def test_a_link_is_for_viewers_and_ends(command: Command, where: list[str]) -> None:
    link = command("tokens", "link", "lab-b", "--expires", "2d", "--url", "https://lab.example/k2/", *where).stdout
    base, _, code = link.strip().partition(SIGN_IN_FRAGMENT)
    assert base == "https://lab.example/k2/"
    assert holder(where, code) == ("lab-b", "view")
    for endless in ("never", "367d"):
        refused = command("tokens", "link", "lab-c", "--expires", endless, *where)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert "at most 366d" in refused.stderr


def test_who_runs_a_session_gets_another_sign_in_link(command: Command, where: list[str]) -> None:
    refused = command("tokens", "sign-in", *where)
    assert refused.returncode == 1
    assert "warpcore up" in refused.stderr
    access = Access(Path(where[1]))
    assert ensure_operator(access, "ada@lab", time.time()) == "ada@lab"
    token = access.operator_token.read_text()
    assert ensure_operator(access, "ada@lab", time.time()) == "ada@lab"
    assert access.operator_token.read_text() == token, "browsers stay signed in over a restart"
    link = command("tokens", "sign-in", *where).stdout.strip()
    assert holder(where, link.partition(SIGN_IN_FRAGMENT)[2]) == ("ada@lab", TokenRole.OPERATE)
    access.operator_token.unlink()
    assert ensure_operator(access, "ada lab", time.time()) == "operator", "a name that a token cannot have"


def test_each_change_is_written_down_for_the_audit_log(command: Command, where: list[str]) -> None:
    for arguments in (
        ("keys", "add", "gpu1", "--role", "worker"),
        ("keys", "add", "t", "--role", "service", "--service", "tracker"),
        ("keys", "revoke", "gpu1"),
        ("tokens", "add", "ada", "--role", "operate", "--expires", "never"),
        ("tokens", "link", "lab-b", "--expires", "2d"),
        ("tokens", "revoke", "lab-b"),
        ("tokens", "revoke", "ada"),
        ("tokens", "list"),
    ):
        assert command(*arguments, *where).returncode == 0, arguments
    assert command("tokens", "revoke", "ada", *where).returncode == 1
    told = noted(Access(Path(where[1])))
    assert [f"{one.action}: {one.detail}" for one in told] == [
        "key.add: key gpu1 made, role worker",
        "key.add: key t made, role service tracker",
        "key.revoke: key gpu1 revoked, role worker",
        "token.add: token ada made, role operate, without end",
        "link.add: viewer link lab-b made, for 2d",
        "link.revoke: viewer link lab-b revoked",
        "token.revoke: token ada revoked",
    ]
    assert {one.by for one in told} == {asker()}


def test_what_cannot_be_written_down_is_done_and_told(command: Command, where: list[str]) -> None:
    command("keys", "init", *where)
    Access(Path(where[1])).changes.symlink_to("elsewhere")
    made = command("tokens", "add", "ada", "--role", "view", *where)
    assert made.returncode == 0
    assert "not in the audit log" in made.stderr


def test_a_folder_that_others_may_enter_is_refused(command: Command, where: list[str]) -> None:
    Path(where[1]).mkdir(mode=0o755)
    refused = command("tokens", "add", "ada", "--role", "view", *where)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "chmod 700" in refused.stderr


def test_without_a_session_it_must_be_named(command: Command) -> None:
    refused = command("tokens", "list")
    assert refused.returncode == 2
    assert "--processing" in refused.stderr


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("12h", 43200), ("7d", 604800), ("never", None)])
def test_times(text: str, seconds: float | None) -> None:
    assert lifetime_s(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "0d", "-1d", "7w", "1e9d", "7d ", "7d\n"])
def test_impossible_times(text: str) -> None:
    with pytest.raises(CliError, match="--expires"):
        lifetime_s(text)


def test_the_environment_may_name_a_token(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(0o600)
    file.write_text("wct_a_b\n")
    url = "http://127.0.0.1:1"
    assert own_token(url, {}) is None
    assert own_token(url, {"WARPCORE_TOKEN": "wct_1_2", "WARPCORE_TOKEN_FILE": str(file)}) == "wct_1_2"
    assert own_token(url, {"WARPCORE_TOKEN_FILE": str(file)}) == "wct_a_b"
    file.write_text("two words")
    with pytest.raises(AccessError, match="one token"):
        own_token(url, {}, file)
