"""The file of tokens: who gets in, who no longer does, also from several processes at the same moment."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from warpcore.services.access.credentials import CODE_LIFE_S, Kind, Refusal, RefusedCredentialError, TokenRole
from warpcore.services.access.tokens import (
    KEPT_AFTER_END_S,
    MOST_SIGN_INS,
    BadNameError,
    NameTakenError,
    TokensError,
    TokenStore,
    UnknownNameError,
)

NOW = 1_800_000_000.0
EXCHANGE = """
import sys
from pathlib import Path
from warpcore.services.access.credentials import RefusedCredentialError
from warpcore.services.access.tokens import TokenStore
store = TokenStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
try:
    store.exchange(sys.argv[2], float(sys.argv[3]))
    print("signed in")
except RefusedCredentialError as error:
    print(error.refusal.name)
"""


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    """An empty store."""
    made = TokenStore(tmp_path / "tokens.db")
    made.make()
    return made


def refused(store: TokenStore, text: str, now: float = NOW) -> Refusal:
    """Why an exchange is refused."""
    with pytest.raises(RefusedCredentialError) as caught:
        store.exchange(text, now)
    return caught.value.refusal


def test_no_secret_stands_in_the_file_and_nobody_else_may_read_it(store: TokenStore) -> None:
    token = store.add("ada", TokenRole.OPERATE, None, NOW)
    code = store.add_code("ada", NOW)
    cookie = store.exchange(code, NOW).text
    link = store.add_link("lab-b", NOW + 60, 2, NOW)
    content = store.path.read_bytes()
    for text in (token, code, cookie, link):
        assert text.encode() not in content
        assert text.split("_", 2)[2].encode() not in content
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_file_that_others_may_read_or_that_is_a_link_is_not_used(store: TokenStore, tmp_path: Path) -> None:
    store.path.chmod(0o640)
    with pytest.raises(TokensError, match="0600"):
        store.all()
    store.path.chmod(0o600)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / store.path.name).symlink_to(store.path)
    with pytest.raises(TokensError):
        TokenStore(elsewhere / "tokens.db").all()
    with pytest.raises(TokensError):
        TokenStore(elsewhere / "tokens.db").make()


def test_a_name_is_free_again_once_its_token_has_ended(store: TokenStore) -> None:
    store.add("ada", TokenRole.VIEW, NOW + 10, NOW)
    with pytest.raises(NameTakenError, match="revoke"):
        store.add_link("ada", NOW + 10, 1, NOW)
    store.add("ada", TokenRole.OPERATE, None, NOW + 11)
    store.revoke("ada", NOW + 12)
    store.add("ada", TokenRole.VIEW, None, NOW + 13)
    with pytest.raises(BadNameError):
        store.add("a b", TokenRole.VIEW, None, NOW)


def test_a_code_is_exchanged_once(store: TokenStore) -> None:
    store.add("up", TokenRole.OPERATE, None, NOW)
    code = store.add_code("up", NOW)
    assert store.exchange(code, NOW).holder.role is TokenRole.OPERATE
    assert refused(store, code) is Refusal.USED
    assert refused(store, store.add_code("up", NOW), NOW + CODE_LIFE_S) is Refusal.EXPIRED


def test_of_two_processes_with_one_code_one_gets_in(store: TokenStore) -> None:
    store.add("up", TokenRole.OPERATE, None, NOW)
    code = store.add_code("up", NOW)
    command = [sys.executable, "-c", EXCHANGE, str(store.path), code, str(NOW)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = sorted(process.communicate()[0].strip() for process in processes)
    assert said == ["USED", "USED", "signed in"]


def test_a_link_signs_as_many_browsers_in_as_it_is_for_and_only_to_view(store: TokenStore) -> None:
    link = store.add_link("lab-b", NOW + 60, 2, NOW)
    roles = {store.exchange(link, NOW).holder.role for _ in range(2)}
    assert roles == {TokenRole.VIEW}
    assert refused(store, link) is Refusal.USED
    assert refused(store, store.add_link("lab-c", NOW + 60, 1, NOW), NOW + 60) is Refusal.EXPIRED


def test_the_code_of_another_session_is_not_known(store: TokenStore, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    other = TokenStore(folder / "tokens.db")
    other.make()
    other.add("up", TokenRole.OPERATE, None, NOW)
    assert refused(store, other.add_code("up", NOW)) is Refusal.UNKNOWN
    assert other.session_id() != store.session_id()


def test_revoking_ends_all_that_stems_from_a_token(store: TokenStore) -> None:
    token = store.add("ada", TokenRole.OPERATE, None, NOW)
    code = store.add_code("ada", NOW)
    store.exchange(token, NOW)
    store.revoke("ada", NOW + 1)
    assert refused(store, token, NOW + 2) is Refusal.REVOKED
    assert refused(store, code, NOW + 2) is Refusal.REVOKED
    with pytest.raises(UnknownNameError, match="tokens list"):
        store.revoke("ada", NOW + 2)
    with pytest.raises(RefusedCredentialError):
        store.add_code("ada", NOW + 2)


def test_who_may_revoke_links_alone_ends_no_token(store: TokenStore) -> None:
    store.add("ada", TokenRole.OPERATE, None, NOW)
    with pytest.raises(UnknownNameError):
        store.revoke("ada", NOW, [Kind.LINK])


def test_the_file_stays_small(store: TokenStore) -> None:
    token = store.add("ada", TokenRole.VIEW, None, NOW)
    first = store.exchange(token, NOW)
    for number in range(MOST_SIGN_INS):
        store.exchange(token, NOW + 1 + number)
    assert sum(one.kind is Kind.SIGN_IN for one in store.all()) == MOST_SIGN_INS
    assert first.holder.id not in {one.id for one in store.all()}, "the oldest goes"
    store.revoke("ada", NOW + 200)
    store.add("new", TokenRole.VIEW, None, NOW + 201 + KEPT_AFTER_END_S)
    assert [one.name for one in store.all()] == ["new"]


def test_codes_that_ended_long_ago_go_with_the_next_one(store: TokenStore) -> None:
    """Each start of a session makes one."""
    store.add("ada", TokenRole.OPERATE, None, NOW)
    store.add_code("ada", NOW)
    store.add_code("ada", NOW + CODE_LIFE_S + KEPT_AFTER_END_S + 1)
    assert sum(one.kind is Kind.CODE for one in store.all()) == 1


def test_a_file_of_a_newer_version_is_left_alone(store: TokenStore) -> None:
    with sqlite3.connect(store.path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(TokensError, match="newer warpcore"):
        store.add("ada", TokenRole.VIEW, None, NOW)


def test_a_damaged_file_is_one_line(store: TokenStore) -> None:
    store.path.write_bytes(os.urandom(5000))
    with pytest.raises(TokensError, match="cannot be used"):
        store.all()
