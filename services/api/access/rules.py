"""Which role a request needs, by its method and path alone. Pure."""

from __future__ import annotations

from warpcore.services.access.credentials import TokenRole
from warpcore.services.api.origins import SAFE_METHODS

SIGN_IN_PATH = "/api/sign-in"
LIVE_PATH = "/api/health/live"
LINKS_PATH = "/api/links"
SESSIONS_PATH = "/api/sessions"

_PAGE_FILES = "/page/"


def needed_role(method: str, path: str) -> TokenRole | None:
    """The role that a request needs, None for one that anyone may send. What is not named here needs one.

    The page's own files hold nothing of a session. An OPTIONS request tells methods alone, and browsers send it without
    a token before a request to another web site.
    """
    path = path.rstrip("/") or "/"
    if method == "OPTIONS" or path in ("/", LIVE_PATH):
        return None
    if path == SIGN_IN_PATH:
        return TokenRole.VIEW if method in SAFE_METHODS else None
    if method not in SAFE_METHODS:
        return TokenRole.OPERATE
    if path.startswith(_PAGE_FILES):
        return None
    if path == SESSIONS_PATH:  # a viewer link shows one session
        return TokenRole.OPERATE
    return TokenRole.OPERATE if path == LINKS_PATH or path.startswith(f"{LINKS_PATH}/") else TokenRole.VIEW


def allows(has: TokenRole, needs: TokenRole) -> bool:
    """Whether a role is enough."""
    return has is TokenRole.OPERATE or needs is TokenRole.VIEW
