"""The link that opens the page of a session that this user runs."""

from __future__ import annotations

import time

from warpcore.cli.errors import CONFIGURATION, CliError
from warpcore.cli.plan import SessionOptions
from warpcore.cli.remote import asker


def signing_in(options: SessionOptions, page: str) -> str:
    """The page's address; with tokens, with a code that signs one browser in as who runs the session.

    Their token is made where there is none. Raises CliError.
    """
    from warpcore.services.access.operator import ensure_operator, sign_in_link
    from warpcore.services.access.places import Access
    from warpcore.services.access.private import AccessError

    if options.access is None:
        return page
    access, now = Access(options.access), time.time()
    try:
        return sign_in_link(access, page, ensure_operator(access, asker(), now), now)
    except (AccessError, OSError) as error:
        raise CliError(f"{error}, or --access DIR on a disk of this host", CONFIGURATION) from None
