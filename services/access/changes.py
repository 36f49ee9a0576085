"""What commands have changed of keys and tokens, kept beside these until a session's audit log has it.

No session need run when a command does, and the scheduler hears nothing of tokens: so commands write it down here, and
the scheduler takes it up.
"""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from warpcore.services.access.places import Access
from warpcore.services.access.private import AccessError, alone, read_private, write_private

MOST_KEPT = 1000
"""Changes that wait for a session; of more the oldest go."""
YEAR_9999 = 253_370_764_800
"""Epoch seconds at which it begins: later times have no date in some zone."""


class AccessAction(StrEnum):
    """What is done to keys, tokens and links, as the audit log names it."""

    KEY_ADDED = "key.add"
    KEY_REVOKED = "key.revoke"
    TOKEN_ADDED = "token.add"
    TOKEN_REVOKED = "token.revoke"
    SIGN_IN_LINK = "token.sign_in"
    LINK_ADDED = "link.add"
    LINK_REVOKED = "link.revoke"


class AccessChange(Struct, frozen=True):
    """A change `at` a time (epoch seconds, 1970 to 9998), by the account `user`; `by` is how its user is called."""

    at: Annotated[float, Meta(ge=0, lt=YEAR_9999)]
    user: str
    by: str
    action: AccessAction
    detail: str


def note(access: Access, action: AccessAction, detail: str, by: str) -> None:
    """Write a change down. Raises AccessError, OSError."""
    with alone(access.folder):
        change = AccessChange(time.time(), _account(), by, action, detail)
        _write(access, [*noted(access), change])


def noted(access: Access) -> list[AccessChange]:
    """The changes that wait for a session, oldest first. Raises AccessError, OSError."""
    try:
        return msgspec.json.decode(read_private(access.changes), type=list[AccessChange])[-MOST_KEPT:]
    except FileNotFoundError:
        return []
    except msgspec.MsgspecError as error:
        raise AccessError(f"{access.changes} is damaged ({error}); delete it, and later changes are told") from None


def drop(access: Access, changes: Collection[AccessChange]) -> None:
    """Forget changes that a session has taken up. Raises AccessError, OSError."""
    gone = frozenset(changes)
    with alone(access.folder):
        _write(access, [one for one in noted(access) if one not in gone])


def _write(access: Access, changes: list[AccessChange]) -> None:
    write_private(access.changes, msgspec.json.encode(changes[-MOST_KEPT:]).decode())


def _account() -> str:
    """The account of this process, which alone may write the file."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user-{os.geteuid()}"
