"""Tokens, sign-in codes, viewer links and sign-ins: what they are and when they hold. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from warpcore.bus.vocabulary import Word

MINUTE_S = 60.0
DAY_S = 86_400.0
CODE_LIFE_S = 60 * MINUTE_S
"""A sign-in code may be used so long after it was made: it is read from a terminal, which others may see later."""
SIGN_IN_LIFE_S = 30 * DAY_S
"""A browser stays signed in for so long, where its token lives that long; by a link as long as that holds."""
LONGEST_LINK_DAYS = 366
"""A viewer link ends by then: browsers keep no cookie for much longer than a year."""
LONGEST_NAME = 64
PATTERN_END = r"$(?!\n)"
"""The end of a pattern, for Python and JSON Schema: in Python a `$` alone would let a line end follow."""
NAME_PATTERN = rf"^[A-Za-z0-9][A-Za-z0-9._@-]*{PATTERN_END}"
SIGN_IN_FRAGMENT = "#sign-in="
"""Stands between the page's address and a code in a link. Browsers send no server what follows a #."""

_SECRET_BYTES = 32
_LONGEST_TEXT = 128


class TokenRole(Word):
    """What who signs in with a token may do over REST."""

    VIEW = "view", "See the session; change nothing."
    OPERATE = "operate", "See everything, change everything, and give viewer links away."


class Kind(StrEnum):
    """What a credential is. The value begins its text, so that a scanner for leaked secrets knows it."""

    TOKEN = "wct"
    CODE = "wcc"
    LINK = "wcl"
    SIGN_IN = "wcs"


class Refusal(StrEnum):
    """Why a credential does not hold; the value is one line for who sent it."""

    NONE = "not signed in: a token is needed"
    UNKNOWN = "this token, link or sign-in is not known to this session"
    EXPIRED = "this token, link or sign-in has expired"
    REVOKED = "this token or link was revoked"
    USED = "this link was used already; each browser needs one of its own"
    WRONG_KIND = "this is no token and no sign-in link"


class RefusedCredentialError(Exception):
    """A credential does not hold; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Credential:
    """One row. Its secret text is not stored, `digest` is.

    `parent` is the id of the token or link that it stems from and ends with; "" for those themselves, which alone have
    a name and a role. `uses_left` counts exchanges for a sign-in, None: any number. Times are seconds
    since the epoch; `expires_at` and `revoked_at` are None for never.
    """

    id: str
    kind: Kind
    digest: bytes
    name: str
    role: TokenRole | None
    parent: str
    made_at: float
    expires_at: float | None
    uses_left: int | None = None
    revoked_at: float | None = None

    def holds(self, now: float) -> bool:
        """Whether it has not ended by itself; its parent may have."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who sent a valid credential: the token's or link's name and role. `id` is that of the credential itself."""

    id: str
    kind: Kind
    name: str
    role: TokenRole
    expires_at: float | None


def new_text(kind: Kind) -> tuple[str, str]:
    """The id and the whole secret text of a new credential; 256 bits of it are random."""
    id = secrets.token_hex(6)
    return id, f"{kind}_{id}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def digest_of(text: str) -> bytes:
    """What is stored in place of a secret text. It is random in all its bits, so that one plain hash is enough."""
    return hashlib.sha256(text.encode()).digest()


def id_in(text: str) -> str:
    """The id that a text claims; "" where it cannot be a credential of ours."""
    parts = text.split("_", 2) if len(text) <= _LONGEST_TEXT and text.isascii() else []
    return parts[1] if len(parts) == 3 and parts[0] in set(Kind) else ""


def is_name(text: str) -> bool:
    """Whether a token may be called so: letters, digits and `._@-`, since it stands in lists and logs."""
    return len(text) <= LONGEST_NAME and re.fullmatch(NAME_PATTERN, text) is not None


def found(text: str, known: Mapping[str, Credential]) -> Credential:
    """The credential whose secret text this is. Raises RefusedCredentialError.

    The id, which is no secret, finds the row; the digests are compared in constant time.
    """
    credential = known.get(id_in(text))
    if credential is None or not hmac.compare_digest(credential.digest, digest_of(text)):
        raise RefusedCredentialError(Refusal.UNKNOWN)
    return credential


def holder_of(credential: Credential, known: Mapping[str, Credential], now: float) -> Holder:
    """Whose credential this is, where it and what it stems from hold now. Raises RefusedCredentialError."""
    root = known.get(credential.parent) if credential.parent else credential
    if root is None or root.role is None:
        raise RefusedCredentialError(Refusal.UNKNOWN)
    if root.revoked_at is not None or credential.revoked_at is not None:
        raise RefusedCredentialError(Refusal.REVOKED)
    ends = [one.expires_at for one in (root, credential) if one.expires_at is not None]
    if any(now >= end for end in ends):
        raise RefusedCredentialError(Refusal.EXPIRED)
    return Holder(credential.id, credential.kind, root.name, root.role, min(ends, default=None))


def identified(text: str, known: Mapping[str, Credential], now: float, kind: Kind) -> Holder:
    """Who sends this text as a credential of this kind. Raises RefusedCredentialError.

    A sign-in is a cookie's alone and a token a header's alone; codes and links are exchanged and do nothing else.
    """
    credential = found(text, known)
    if credential.kind is not kind:
        raise RefusedCredentialError(Refusal.WRONG_KIND)
    return holder_of(credential, known, now)


def exchangeable(text: str, known: Mapping[str, Credential], now: float) -> Credential:
    """The token, code or link that can be exchanged for a sign-in now. Raises RefusedCredentialError."""
    credential = found(text, known)
    if credential.kind is Kind.SIGN_IN:
        raise RefusedCredentialError(Refusal.WRONG_KIND)
    holder_of(credential, known, now)
    if credential.uses_left is not None and credential.uses_left < 1:
        raise RefusedCredentialError(Refusal.USED)
    return credential


def sign_in_from(credential: Credential, now: float) -> tuple[Credential, str]:
    """A new sign-in in exchange for a credential, and its secret text."""
    id, text = new_text(Kind.SIGN_IN)
    parent = credential.parent or credential.id
    end = credential.expires_at if credential.kind is Kind.LINK else now + SIGN_IN_LIFE_S
    return Credential(id, Kind.SIGN_IN, digest_of(text), "", None, parent, now, end), text


def browsers_by_parent(known: Iterable[Credential], now: float) -> Counter[str]:
    """How many browsers each token or link keeps signed in now, by its id."""
    return Counter(one.parent for one in known if one.kind is Kind.SIGN_IN and one.holds(now))
