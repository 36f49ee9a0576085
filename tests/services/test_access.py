"""The access directory and the user's own sessions: what is made, what is refused, what is taken up while it runs."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from warpcore.bus.keys import Holder
from warpcore.bus.vocabulary import Role, ServiceName
from warpcore.services.access import known as knowing
from warpcore.services.access.keys import add, init, known_keys, own, read_key, revoke, server_key
from warpcore.services.access.known import Known
from warpcore.services.access.places import Access
from warpcore.services.access.private import AccessError, make_private, read_private, write_private
from warpcore.services.access.sessions import OwnSession, SessionPorts, folder, own_instance, running, session_at, told

GPU1 = Holder("gpu1", Role.WORKER)
ADA = Holder("ada", Role.OPERATOR)
TRACKER = Holder("tracker", Role.SERVICE, ServiceName.TRACKER)


@pytest.fixture
def access(tmp_path: Path) -> Access:
    return Access(tmp_path / "access")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_all_that_is_made_is_for_its_owner_alone_whatever_the_umask(access: Access) -> None:
    before = os.umask(0)
    try:
        add(access, GPU1)
        own(access, ADA)
    finally:
        os.umask(before)
    for path in (access.folder, *access.folder.rglob("*")):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_a_key_file_is_all_that_a_peer_needs(access: Access) -> None:
    key = read_key(add(access, TRACKER))
    assert key.holder == TRACKER
    assert key.server == server_key(access).public
    assert {one.public: one.holder for one in known_keys(access)} == {key.pair.public: TRACKER}


def test_secrets_do_not_stand_in_what_is_printed(access: Access) -> None:
    key = read_key(add(access, GPU1))
    assert key.pair.secret not in repr(key)
    assert server_key(access).secret not in repr(server_key(access))


def test_a_name_has_one_key_and_none_after_it_is_revoked(access: Access) -> None:
    path = add(access, GPU1)
    with pytest.raises(AccessError, match="a key called gpu1 already"):
        add(access, Holder("gpu1", Role.OBSERVER))
    revoke(access, "gpu1")
    assert not path.exists()
    assert not known_keys(access)
    with pytest.raises(AccessError, match="no key called gpu1"):
        revoke(access, "gpu1")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "ä", "a\n", "x" * 65, 'a"b'])
def test_a_name_is_never_a_path(access: Access, name: str) -> None:
    with pytest.raises(AccessError, match="cannot be a key's name"):
        add(access, Holder(name, Role.WORKER))
    assert not list(access.keys.iterdir())


def test_role_and_service_go_together(access: Access) -> None:
    with pytest.raises(AccessError, match="says which one"):
        add(access, Holder("x", Role.SERVICE))
    with pytest.raises(AccessError, match="says which one"):
        add(access, Holder("x", Role.WORKER, ServiceName.API))


def test_own_keys_stay_and_are_made_anew_where_they_are_lost(access: Access) -> None:
    first = own(access, ADA)
    assert own(access, ADA) == first
    before = read_key(first)
    first.write_text("damaged")
    assert read_key(own(access, ADA)).pair != before.pair
    revoke(access, "ada")
    assert [one.holder for one in known_keys(access)] == []
    own(access, ADA)
    assert [one.holder for one in known_keys(access)] == [ADA]


def test_an_own_key_gets_another_name_where_that_is_somebody_elses(access: Access) -> None:
    add(access, Holder("ada", Role.WORKER))
    assert read_key(own(access, ADA)).holder == Holder("ada-operator", Role.OPERATOR)
    assert own(access, ADA) == own(access, ADA)


@pytest.mark.parametrize("open_to", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_could_read_or_write_is_refused(access: Access, open_to: int) -> None:
    path = add(access, GPU1)
    path.chmod(open_to)
    with pytest.raises(AccessError, match=f"open to other users; chmod 600 {path}"):
        read_key(path)


def test_a_folder_that_others_could_enter_is_refused(access: Access) -> None:
    init(access)
    access.folder.chmod(0o750)
    for act in (lambda: init(access), lambda: known_keys(access), lambda: server_key(access)):
        with pytest.raises(AccessError, match="open to other users; chmod 700"):
            act()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file to another user, which needs root")
def test_what_belongs_to_another_user_is_refused(access: Access) -> None:
    path = add(access, GPU1)
    os.chown(path, 12345, 12345)
    with pytest.raises(AccessError, match="belongs to another user"):
        read_key(path)
    os.chown(access.folder, 12345, 12345)
    with pytest.raises(AccessError, match="belongs to another user"):
        known_keys(access)


def test_what_is_no_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccessError, match=f"{tmp_path} is not a file"):
        read_key(tmp_path)
    with pytest.raises(AccessError, match=f"{tmp_path / 'gone'} is not there"):
        read_key(tmp_path / "gone")


def test_links_are_not_followed(access: Access, tmp_path: Path) -> None:
    path = add(access, GPU1)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    with pytest.raises(AccessError, match="is a link"):
        read_key(link)
    (tmp_path / "linked").symlink_to(access.folder)
    with pytest.raises(AccessError, match="links are not followed"):
        known_keys(Access(tmp_path / "linked"))
    access.known.unlink()
    access.known.symlink_to("/etc/passwd")
    with pytest.raises(AccessError, match="is a link"):
        known_keys(access)


@pytest.mark.parametrize("text", ["", "not toml [", "name = 'x'", 'name = "x"\nrole = "king"\n', "\0", "ä" * 600_000])
def test_a_file_that_is_no_key_is_refused_by_name_and_shows_nothing_of_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.toml"
    write_private(path, text)
    with pytest.raises(AccessError) as refused:
        read_key(path)
    assert str(path) in str(refused.value)
    assert len(str(refused.value)) < 300 + len(str(path))


# --- taken up while it runs -----------------------------------------------------------------------------------------


@pytest.fixture
def known(access: Access, monkeypatch: pytest.MonkeyPatch) -> Iterator[Known]:
    monkeypatch.setattr(knowing, "LOOK_EVERY_S", 0.02)
    init(access)
    one = Known(access)
    yield one
    one.close()


def test_keys_are_taken_up_and_revoked_without_a_restart(
    access: Access, known: Known, wait_until: Callable[..., None]
) -> None:
    assert not known()
    public = read_key(add(access, GPU1)).pair.public
    wait_until(lambda: known().get(public) == GPU1, what="a key that was added")
    revoke(access, "gpu1")
    wait_until(lambda: not known(), what="no key")


def test_a_list_that_cannot_be_read_leaves_the_keys_of_before_in_force(
    access: Access, known: Known, wait_until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    add(access, GPU1)
    wait_until(lambda: len(known()) == 1, what="a key that was added")
    whole = read_private(access.known)
    write_private(access.known, whole + "damaged")
    wait_until(lambda: "the keys of before stay in force" in caplog.text, what="a line that says so")
    assert len(known()) == 1
    write_private(access.known, "")
    wait_until(lambda: not known(), what="the keys of a list that can be read again")


def test_a_revocation_that_could_not_be_read_at_first_is_read_later(
    access: Access, known: Known, wait_until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    add(access, GPU1)
    wait_until(lambda: len(known()) == 1, what="a key that was added")
    access.folder.chmod(0o755)  # each reading fails now, whatever the list is
    write_private(access.known, "")
    wait_until(lambda: "the keys of before stay in force" in caplog.text, what="a line that says so")
    assert len(known()) == 1
    access.folder.chmod(0o700)
    wait_until(lambda: not known(), what="the revocation, of a list that has not changed since")


# --- the user's own sessions ----------------------------------------------------------------------------------------


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's runtime directory."""
    where = make_private(tmp_path / "runtime")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(where))
    return where


def a_session(access: Access, instance: str = "") -> OwnSession:
    keys = {Role.OPERATOR.value: str(own(access, ADA)), Role.WORKER.value: str(own(access, GPU1))}
    ports = SessionPorts(1, 2, 3, 4, 5)
    return OwnSession("out", instance or own_instance(), "/out", "/data", "10.0.0.5", ports, str(access.folder), keys)


def test_commands_find_a_session_by_its_ports_as_long_as_it_runs(access: Access, runtime: Path) -> None:
    with told(a_session(access)) as session:
        assert running() == [session]
        for host in ("127.0.0.1", "localhost", "::1", "10.0.0.5"):
            assert session_at(host, 3) == session
        assert session_at("10.0.0.6", 3) is None
        assert session_at("127.0.0.1", 6) is None
        assert session.pid == os.getpid()
    assert running() == []
    assert not list(folder().iterdir())


def test_its_keys_lie_at_hand_while_the_disk_of_the_originals_is_away(access: Access, runtime: Path) -> None:
    with told(a_session(access)) as session:
        access.folder.rename(access.folder.with_name("away"))
        for name, holder in ((Role.OPERATOR, ADA), (Role.WORKER, GPU1)):
            path = Path(session.keys[name])
            assert read_key(path).holder == holder
            assert path.is_relative_to(runtime)
            assert mode(path) == 0o600


@pytest.mark.parametrize("given", ["", "missing", "of another user"])
def test_without_a_runtime_directory_sessions_are_told_of_at_home_and_not_in_tmp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    """Another user may have made `/tmp/runtime-1000` before."""
    make_private(tmp_path / "of another user")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / given) if given else "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(os, "geteuid", lambda: 2**31 - 5)  # a user who has none in /run either
    assert folder().is_relative_to(tmp_path / "home")


def test_a_runtime_directory_that_others_may_write_is_not_used(runtime: Path) -> None:
    assert folder().is_relative_to(runtime)
    runtime.chmod(0o777)
    assert not folder().is_relative_to(runtime)


def test_what_an_ended_session_left_is_removed(access: Access, runtime: Path) -> None:
    boot, namespace, _, start, _ = own_instance().split("/")
    gone = a_session(access, f"{boot}/{namespace}/{2**22 - 1}/{start}/x")
    path = make_private(folder()) / "4194303.json"
    write_private(make_private(path.with_suffix("")) / "ada.toml", "secret")
    write_private(path, msgspec.json.encode(gone).decode())
    assert running() == []
    assert not list(folder().iterdir())


def test_a_folder_that_others_could_write_counts_for_nothing(access: Access, runtime: Path) -> None:
    with told(a_session(access)) as session:
        folder().chmod(0o777)
        assert running() == []
        folder().chmod(0o700)
        assert running() == [session]
    folder().chmod(0o777)
    with pytest.raises(AccessError, match="open to other users"), told(a_session(access)):
        pass


def test_damaged_files_of_sessions_are_passed_by(access: Access, runtime: Path) -> None:
    with told(a_session(access)) as session:
        for number, text in enumerate(["", "{", "[]", '{"name": 1}', '{"instance": "x"}']):
            write_private(folder() / f"{number}.json", text)
        assert running() == [session]
