"""Where a program finds the token that it sends: given by its user, or that of the user's own session."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from warpcore.services.access.private import AccessError, read_private
from warpcore.services.access.sessions import session_at

TOKEN_VARIABLE = "WARPCORE_TOKEN"
TOKEN_FILE_VARIABLE = "WARPCORE_TOKEN_FILE"
_PORTS = {"http": 80, "https": 443}


def read_token(path: Path) -> str:
    """The token in a file. Raises OSError, AccessError also where others may read it."""
    text = read_private(path).strip()
    if not text.isascii() or len(text.split()) != 1:
        raise AccessError(f"{path} must hold one token and nothing else")
    return text


def own_token(url: str, environment: Mapping[str, str], file: Path | None = None) -> str | None:
    """The token for the API at `url`, None where there is none. Raises AccessError, OSError.

    The first of: that in `file`, that of WARPCORE_TOKEN, that in the file which WARPCORE_TOKEN_FILE names, and that of
    this user's own session, where it listens at this port of this host. By http it goes to the address alone that the
    session has bound: what `localhost` also stands for may be another user's.
    """
    if file is not None:
        return read_token(file)
    if token := environment.get(TOKEN_VARIABLE, "").strip():
        return token
    if named := environment.get(TOKEN_FILE_VARIABLE, ""):
        return read_token(Path(named))
    address = urlsplit(url)
    port = address.port or _PORTS.get(address.scheme, 0)
    session = session_at(address.hostname or "", port)
    if session is not None and address.scheme != "https" and address.hostname != session.host:
        return None
    return read_token(Path(session.token)) if session is not None and session.token else None
