"""The token of who runs a session: kept in a file beside `tokens.db`, for their commands and their browser."""

from __future__ import annotations

from contextlib import suppress

from warpcore.services.access.credentials import (
    SIGN_IN_FRAGMENT,
    Kind,
    RefusedCredentialError,
    TokenRole,
    identified,
    is_name,
)
from warpcore.services.access.places import Access
from warpcore.services.access.private import make_private, write_private
from warpcore.services.access.token_files import read_token
from warpcore.services.access.tokens import TokenStore, UnknownNameError

_NAMELESS = "operator"


def operator_name(access: Access, now: float) -> str:
    """The name of that token, "" where there is none that holds. Raises AccessError, OSError."""
    if not access.operator_token.exists():
        return ""
    known = {one.id: one for one in TokenStore(access.tokens).all()}
    try:
        return identified(read_token(access.operator_token), known, now, Kind.TOKEN).name
    except RefusedCredentialError:
        return ""


def ensure_operator(access: Access, user: str, now: float) -> str:
    """The name of that token, which is made where there is none that holds. Raises AccessError, OSError.

    It outlives the session, so that browsers stay signed in when the session is started again.
    """
    make_private(access.folder)
    store = TokenStore(access.tokens)
    store.make()
    if name := operator_name(access, now):
        return name
    name = user if is_name(user) else _NAMELESS
    with suppress(UnknownNameError):
        store.revoke(name, now)  # its file is lost
    write_private(access.operator_token, store.add(name, TokenRole.OPERATE, None, now) + "\n")
    return name


def sign_in_link(access: Access, page: str, token: str, now: float) -> str:
    """The page's address with a code that signs one browser in as this token. Raises AccessError, OSError."""
    return f"{page.rstrip('/')}/{SIGN_IN_FRAGMENT}{TokenStore(access.tokens).add_code(token, now)}"
