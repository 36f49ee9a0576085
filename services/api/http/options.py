"""How REST is served, as the command line says it."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class HttpOptions(Struct, frozen=True):
    """Origins whose pages may use the API, names by which it may be addressed, proxies that are believed, and TLS.

    `certificate` and `key` are PEM files, both or neither.
    """

    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        """`https` where there is a certificate."""
        return "http" if self.certificate is None else "https"
