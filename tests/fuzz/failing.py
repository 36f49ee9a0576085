"""Where inputs at fault are kept, and how one is tried again."""

from __future__ import annotations

import hashlib
import shlex

from tests.fuzz.decoder import BUILD

FAILING = BUILD / "fuzz" / "failing"


def written(decoder: str, data: bytes) -> str:
    """Keep an input; the command that tries it again."""
    path = FAILING / decoder / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return f"again: python -m tests.fuzz {decoder} --input {shlex.quote(str(path.relative_to(BUILD.parent)))}"
