"""The keys of a session: the scheduler's own, those that may connect, and the one file that each peer needs.

What is not as it should be raises AccessError, what cannot be read or written OSError.
"""

from __future__ import annotations

import calendar
import time
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import zmq
from msgspec import Meta, Struct

from warpcore.bus.keys import KEY_LENGTH, ClientKey, Holder, KeyPair
from warpcore.bus.vocabulary import Role, ServiceName
from warpcore.services.access.places import Access
from warpcore.services.access.private import AccessError, alone, check_folder, make_private, read_private, write_private

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")]
"""A key's name. It names a file, and is what names of workers begin with."""
Z85 = Annotated[str, Meta(pattern=rf"^[0-9A-Za-z.:+=^!/*?&<>()\[\]{{}}@%$#-]{{{KEY_LENGTH}}}\Z")]

_CREATED = "%Y-%m-%dT%H:%M:%SZ"

T = TypeVar("T", bound=Struct)


class ServerFile(Struct, frozen=True):
    """`server.toml`."""

    public: Z85
    secret: Z85


class KnownKey(Struct, frozen=True):
    """A key that may connect, as `known.toml` has it. `created` is in UTC, for people."""

    name: Name
    role: Role
    public: Z85
    created: str
    service: ServiceName | None = None

    @property
    def holder(self) -> Holder:
        """Whom it belongs to."""
        return Holder(self.name, self.role, self.service)

    @property
    def made_at(self) -> float:
        """When it was made, in seconds since the epoch. Raises AccessError."""
        try:
            return calendar.timegm(time.strptime(self.created, _CREATED))
        except ValueError:
            raise AccessError(f"the key {self.name} has created = {self.created!r:.40}, which is no time") from None


class KnownFile(Struct, frozen=True):
    """`known.toml`."""

    key: list[KnownKey] = []


class KeyFile(Struct, frozen=True):
    """The one file that a peer needs: its own pair, and the scheduler's public key as `server`."""

    name: Name
    role: Role
    public: Z85
    secret: Z85
    server: Z85
    service: ServiceName | None = None


def read_key(path: Path) -> ClientKey:
    """What a peer connects with, from its key file."""
    _check_curve()
    try:
        file = _read(path, KeyFile)
    except FileNotFoundError:
        raise AccessError(f"{path} is not there; give the key file that `warpcore keys add` has made") from None
    return ClientKey(_holder(file.name, file.role, file.service, path), KeyPair(file.public, file.secret), file.server)


def server_key(access: Access) -> KeyPair:
    """The scheduler's own pair."""
    check_folder(access.folder)
    file = _read(access.server, ServerFile)
    return KeyPair(file.public, file.secret)


def known_keys(access: Access) -> list[KnownKey]:
    """The keys that may connect, oldest first."""
    check_folder(access.folder)
    found = _read(access.known, KnownFile).key
    for one in found:
        _holder(one.name, one.role, one.service, access.known)
    return found


def init(access: Access) -> bool:
    """Make what is missing of an access directory: the scheduler's pair, an empty list. False where all was there."""
    _check_curve()
    make_private(access.folder)
    make_private(access.keys)
    with alone(access.folder):
        missing = [path for path in (access.server, access.known) if not path.exists()]
        if access.server in missing:
            pair = KeyPair.new()
            write_private(access.server, _toml(ServerFile(pair.public, pair.secret)))
        if access.known in missing:
            _write_known(access, [])
    return bool(missing)


def add(access: Access, holder: Holder) -> Path:
    """Make a key, which may connect at once; returns the file for its holder. Raises AccessError for a name in use."""
    init(access)
    _holder(holder.name, holder.role, holder.service, access.known)
    with alone(access.folder):
        present = known_keys(access)
        if any(one.name == holder.name for one in present):
            raise AccessError(f"there is a key called {holder.name} already; give another name, or revoke that one")
        return _add(access, holder, present)


def revoke(access: Access, name: str) -> KnownKey:
    """Take a key's rights, at once, and delete its file here. Raises AccessError where there is none of this name."""
    with alone(access.folder):
        present = known_keys(access)
        gone = next((one for one in present if one.name == name), None)
        if gone is None:
            raise AccessError(f"there is no key called {name}; `warpcore keys list` shows all")
        _write_known(access, [one for one in present if one is not gone])
        _key_path(access, name).unlink(missing_ok=True)
    return gone


def own(access: Access, holder: Holder) -> Path:
    """The file of a key for this, which is made where it is missing; another name where that is somebody else's."""
    init(access)
    with alone(access.folder):
        present = known_keys(access)
        taken = {one.name: one for one in present}
        if holder.name in taken and taken[holder.name].holder != holder:
            holder = Holder(f"{holder.name}-{holder.sender}"[-64:], holder.role, holder.service)
        before = taken.get(holder.name)
        path = _key_path(access, holder.name)
        if before is not None and before.holder == holder and _is_usable(path, before, access):
            return path
        return _add(access, holder, [one for one in present if one is not before])


def _check_curve() -> None:
    if not zmq.has("curve"):
        raise AccessError("the libzmq of this Python has no CURVE; install pyzmq from PyPI, or say --insecure")


def _add(access: Access, holder: Holder, present: list[KnownKey]) -> Path:
    pair, path = KeyPair.new(), _key_path(access, holder.name)
    server = _read(access.server, ServerFile).public
    write_private(path, _toml(KeyFile(holder.name, holder.role, pair.public, pair.secret, server, holder.service)))
    created = time.strftime(_CREATED, time.gmtime())
    _write_known(access, [*present, KnownKey(holder.name, holder.role, pair.public, created, holder.service)])
    return path


def _is_usable(path: Path, known: KnownKey, access: Access) -> bool:
    try:
        key = read_key(path)
    except (AccessError, OSError):
        return False
    return key.pair.public == known.public and key.server == server_key(access).public


def _key_path(access: Access, name: str) -> Path:
    return access.keys / f"{name}.toml"


def _holder(name: str, role: Role, service: ServiceName | None, where: Path) -> Holder:
    """Raises AccessError where the role and the service do not go together."""
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError:
        allowed = "letters, digits and . _ @ -, at most 64, the first one a letter or digit"
        raise AccessError(f"{name!r:.80} cannot be a key's name: it has {allowed}") from None
    if (role is Role.SERVICE) != (service is not None):
        services = ", ".join(ServiceName)
        raise AccessError(f"{where}: {name}: a key of the role service, and no other, says which one: {services}")
    return Holder(name, role, service)


def _write_known(access: Access, keys: list[KnownKey]) -> None:
    parts = ["# The keys that may connect. `warpcore keys` writes it; a running session takes up what changes.\n"]
    write_private(access.known, "\n".join([*parts, *(f"[[key]]\n{_toml(one)}" for one in keys)]))


def _toml(struct: Struct) -> str:
    """The fields that are set; none of their characters need to be escaped."""
    fields = msgspec.structs.asdict(struct).items()
    return "".join(f'{name} = "{value}"\n' for name, value in fields if value is not None)


def _read(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.toml.decode(read_private(path), type=kind)
    except msgspec.MsgspecError as error:
        raise AccessError(f"{path} is not a file of `warpcore keys`: {error}") from None
