"""The versions of warpcore, Python and other packages that run here."""

from __future__ import annotations

import importlib.metadata
import platform


def warpcore_version() -> str:
    """The installed version; `uninstalled` where the sources are only on the path."""
    return package_version("warpcore") or "uninstalled"


def package_version(name: str) -> str | None:
    """An installed package's version, None where it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(*packages: str) -> dict[str, str]:
    """Versions of Python, warpcore and the named packages, for registrations and health."""
    found = {name: package_version(name) or "not installed" for name in packages}
    return {"python": platform.python_version(), "warpcore": warpcore_version(), **found}
