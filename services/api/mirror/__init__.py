"""The session's movies as columns, kept in each API process: what lists and series are made from."""

from warpcore.services.api.mirror.mirror import Mirror

__all__ = ["Mirror"]
