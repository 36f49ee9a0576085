"""`tokens.db` of the access directory: hashed tokens, sign-in codes, viewer links, and browsers that are signed in."""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from warpcore.services.access.credentials import (
    CODE_LIFE_S,
    DAY_S,
    LONGEST_NAME,
    Credential,
    Holder,
    Kind,
    Refusal,
    RefusedCredentialError,
    TokenRole,
    digest_of,
    exchangeable,
    holder_of,
    is_name,
    new_text,
    sign_in_from,
)
from warpcore.services.access.private import AccessError

MOST_SIGN_INS = 100
"""Browsers that one token or link keeps signed in; one more ends the oldest."""
KEPT_AFTER_END_S = 30 * DAY_S
"""So long it can still be told that a token was revoked or has expired."""
_FORMAT = 1
_BUSY_S = 5.0
_SCHEMA = """
CREATE TABLE session (id TEXT NOT NULL);
CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    digest BLOB NOT NULL,
    name TEXT NOT NULL,
    role TEXT,
    parent TEXT NOT NULL,
    made_at REAL NOT NULL,
    expires_at REAL,
    uses_left INTEGER,
    revoked_at REAL
);
"""
_COLUMNS = [field.name for field in fields(Credential)]
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM credentials ORDER BY made_at, id"
_INSERT = f"INSERT INTO credentials ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


class TokensError(AccessError):
    """The tokens cannot be read or changed as asked; one line says why and what to do."""


class NameTakenError(TokensError):
    """A token or link of this name holds already."""


class BadNameError(TokensError):
    """No token or link can be called so."""


class UnknownNameError(TokensError):
    """No token or link of this name holds."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new sign-in: the text for the cookie, and whose it is."""

    text: str
    holder: Holder


class TokenStore:
    """The tokens of one session. Each call opens the file, so that any process and any thread may use it.

    All methods raise TokensError where the file cannot be used. A rollback journal, not WAL: the file is then all that
    there is, and its journal gets its mode.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Make the file, mode 0600, where there is none."""
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
        except FileExistsError:
            pass
        except OSError as error:
            raise TokensError(f"{self.path} cannot be made: {error.strerror}") from None
        with self._changed():
            pass

    def session_id(self) -> str:
        """What tells this session's cookies from those of others on the same host."""
        with self._opened() as db:
            id: str = db.execute("SELECT id FROM session").fetchone()[0]
        return id

    def all(self) -> list[Credential]:
        """All rows, the oldest first."""
        with self._opened() as db:
            return rows(db)

    def add(self, name: str, role: TokenRole, expires_at: float | None, now: float) -> str:
        """A new token; its text, which is not stored. Raises NameTakenError, BadNameError."""
        return self._add_named(Kind.TOKEN, name, role, expires_at, None, now)

    def add_link(self, name: str, expires_at: float, browsers: int, now: float) -> str:
        """A new viewer link for so many browsers; its code, which is not stored. Raises as `add`."""
        return self._add_named(Kind.LINK, name, TokenRole.VIEW, expires_at, browsers, now)

    def add_code(self, token: str, now: float) -> str:
        """A one-use code that signs in as the token `token`. Raises RefusedCredentialError where that does not hold."""
        id, code = new_text(Kind.CODE)
        with self._changed() as db:
            _sweep(db, now)
            parent = _live(db, token, now)
            if parent is None or parent.kind is not Kind.TOKEN:
                raise RefusedCredentialError(Refusal.UNKNOWN)
            _insert(db, Credential(id, Kind.CODE, digest_of(code), "", None, parent.id, now, now + CODE_LIFE_S, 1))
        return code

    def revoke(self, name: str, now: float, kinds: Collection[Kind] = (Kind.TOKEN, Kind.LINK)) -> Kind:
        """End a token or link with all that stems from it; which of the two it was.

        Raises UnknownNameError where there is none.
        """
        with self._changed() as db:
            found = _live(db, name, now)
            if found is None or found.kind not in kinds:
                raise UnknownNameError(
                    f"there is no token or link {name!r} that holds; `warpcore tokens list` names them"
                )
            db.execute("UPDATE credentials SET revoked_at = ? WHERE id = ?", (now, found.id))
        return found.kind

    def exchange(self, text: str, now: float) -> SignedIn:
        """Sign a browser in by a token, code or link. Raises RefusedCredentialError.

        One transaction that takes the file's lock first: of two processes with the same code one alone gets it.
        """
        with self._changed() as db:
            known = {one.id: one for one in rows(db)}
            credential = exchangeable(text, known, now)
            db.execute("UPDATE credentials SET uses_left = uses_left - 1 WHERE id = ?", (credential.id,))
            sign_in, cookie = sign_in_from(credential, now)
            _insert(db, sign_in)
            _keep_newest(db, sign_in.parent)
        return SignedIn(cookie, holder_of(sign_in, known, now))

    def end(self, sign_in: str) -> None:
        """Sign a browser out."""
        with self._changed() as db:
            db.execute("DELETE FROM credentials WHERE id = ? AND kind = ?", (sign_in, Kind.SIGN_IN))

    def _add_named(
        self, kind: Kind, name: str, role: TokenRole, expires_at: float | None, uses: int | None, now: float
    ) -> str:
        if not is_name(name):
            told = f"give letters, digits and ._@- alone, at most {LONGEST_NAME}, the first a letter or digit"
            raise BadNameError(f"a token or link cannot be called {name!r}: {told}")
        id, text = new_text(kind)
        with self._changed() as db:
            _sweep(db, now)
            if _live(db, name, now) is not None:
                told = f"revoke it first (`warpcore tokens revoke {name}`), or take another name"
                raise NameTakenError(f"there is a token or link {name!r} already: {told}")
            _insert(db, Credential(id, kind, digest_of(text), name, role, "", now, expires_at, uses))
        return text

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(connected(self.path)) as db:
                yield db
        except (sqlite3.Error, OSError) as error:
            raise TokensError(f"{self.path} cannot be used: {error}") from None

    @contextmanager
    def _changed(self) -> Iterator[sqlite3.Connection]:
        """One transaction that nobody else writes in; taken back where it ends in an error."""
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                _prepare(db)
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")


def connected(path: Path) -> sqlite3.Connection:
    """A connection to the file, which must be there. Raises OSError, sqlite3.Error, TokensError for one that is open.

    A link is not followed, and a file that others may read or that is not ours is refused.
    """
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise TokensError(f"{path} is not a file of this user alone (mode 0600): it is not used")
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw",
        uri=True,
        timeout=_BUSY_S,
        isolation_level=None,  # each transaction is begun and ended here
        check_same_thread=False,  # one thread at a time uses it, not always the same
    )


def rows(db: sqlite3.Connection) -> list[Credential]:
    """All credentials of an open file."""
    return [_credential(dict(zip(_COLUMNS, row, strict=True))) for row in db.execute(_SELECT)]


def _credential(row: dict[str, object]) -> Credential:
    kind, role = Kind(str(row["kind"])), TokenRole(str(row["role"])) if row["role"] else None
    return Credential(**{**row, "kind": kind, "role": role})  # type: ignore[arg-type]


def _insert(db: sqlite3.Connection, credential: Credential) -> None:
    db.execute(_INSERT, [str(value) if isinstance(value, Kind | TokenRole) else value for value in astuple(credential)])


def _prepare(db: sqlite3.Connection) -> None:
    """Make the tables in a new file. Raises TokensError for a file of a newer warpcore."""
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version > _FORMAT:
        raise TokensError("the tokens were written by a newer warpcore; use that one")
    if version == 0:
        for statement in _SCHEMA.split(";"):
            db.execute(statement)
        db.execute("INSERT INTO session VALUES (?)", (secrets.token_hex(4),))
        db.execute(f"PRAGMA user_version = {_FORMAT}")


def _live(db: sqlite3.Connection, name: str, now: float) -> Credential | None:
    """The token or link of this name that holds now."""
    for one in rows(db):
        if one.name == name and one.holds(now):
            return one
    return None


def _keep_newest(db: sqlite3.Connection, parent: str) -> None:
    newest = "SELECT id FROM credentials WHERE parent = ? AND kind = ? ORDER BY made_at DESC, rowid DESC LIMIT ?"
    db.execute(
        f"DELETE FROM credentials WHERE parent = ? AND kind = ? AND id NOT IN ({newest})",
        (parent, Kind.SIGN_IN, parent, Kind.SIGN_IN, MOST_SIGN_INS),
    )


def _sweep(db: sqlite3.Connection, now: float) -> None:
    """Forget what ended long ago, and what stems from it."""
    long_ago = now - KEPT_AFTER_END_S
    db.execute("DELETE FROM credentials WHERE expires_at < ? OR revoked_at < ?", (long_ago, long_ago))
    db.execute("DELETE FROM credentials WHERE parent != '' AND parent NOT IN (SELECT id FROM credentials)")
