"""Query parameters: known names, checked values."""

from __future__ import annotations

import falcon.asgi

from warpcore.services.api.errors import bad_parameter


def only_parameters(req: falcon.asgi.Request, *known: str) -> None:
    """Raises Problem 400 for a parameter that is not one of `known`."""
    for name, value in req.params.items():
        if name not in known:
            raise bad_parameter(name, value, f"unknown; known here: {', '.join(known)}")


def text(req: falcon.asgi.Request, name: str, default: str) -> str:
    """A parameter given at most once."""
    value = req.params.get(name, default)
    if isinstance(value, list):
        raise bad_parameter(name, ",".join(value), "give one value")
    return value


def integer(req: falcon.asgi.Request, name: str, default: int, lowest: int, highest: int) -> int:
    """A whole number from `lowest` to `highest`. Raises Problem 400."""
    value = text(req, name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 20 and lowest <= int(value) <= highest):
        raise bad_parameter(name, value, f"a whole number from {lowest} to {highest} is needed")
    return int(value)
