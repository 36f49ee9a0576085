"""What commands change of keys and tokens, told to the session's audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warpcore.cli import output
from warpcore.cli.remote import asker

if TYPE_CHECKING:
    from warpcore.services.access.changes import AccessAction
    from warpcore.services.access.places import Access


def note_change(access: Access, action: AccessAction, detail: str) -> None:
    """Write down what was changed; a session takes it up. Where it cannot be written, the user is told."""
    from warpcore.services.access.changes import note
    from warpcore.services.access.private import AccessError

    try:
        note(access, action, detail, asker())
    except (AccessError, OSError) as error:
        output.note(f"done, but not in the audit log: {error}")
