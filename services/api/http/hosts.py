"""The names by which this server may be addressed.

A page of another site can have its own name resolve to this host (DNS rebinding): then `Host` and `Origin` agree, and
only the name tells that the request is not meant for this server.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Collection
from ipaddress import ip_address

import falcon
import falcon.asgi

from warpcore.services.api.errors import Problem

LOOPBACK = ("localhost",)
LOOK_UP_S = 2.0
"""How long the full name of this host may take to be found."""
LONGEST_SHOWN = 100

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")


class AllowedHosts:
    """Refuses requests that are addressed to another name than one of these.

    An address in figures is always right: no name of another site becomes one in the header `Host`. A request without
    the header passes: browsers send it, and some probes do not.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(_plain(name) for name in (*LOOPBACK, *names))

    async def process_request(self, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> None:
        """Raises Problem 421."""
        host = req.get_header("Host")
        if host is None or self.allows(host):
            return
        name = host if len(host) <= LONGEST_SHOWN else f"{host[:LONGEST_SHOWN]} …"
        raise Problem(
            falcon.HTTP_421, f"this server does not go by the name {name}; if it should, start it with --allow-host"
        )

    def allows(self, host: str) -> bool:
        """Whether the header `Host` names this server."""
        found = split_host(host)
        return found is not None and (is_address(found) or found in self._names)


def split_host(header: str) -> str | None:
    """The name or address in a header `Host`, in lower case, without port and brackets; None for what is none."""
    matched = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]/@\s]+))(?::[0-9]{0,5})?", header)
    return _plain(matched[1] or matched[2]) if matched else None


def is_host_name(text: str) -> bool:
    """Whether a text is a name of a host as `--allow-host` takes it: without port, path or *."""
    return _NAME.fullmatch(text.lower()) is not None


def own_names(bind: str) -> list[str]:
    """The names by which others may know this host: that at which it is bound, its own, and its full one in the DNS."""
    own = socket.gethostname()
    found = [bind, own]
    # A name server that does not answer takes longer than a start may.
    looking = threading.Thread(target=lambda: found.append(socket.getfqdn(own)), daemon=True)
    looking.start()
    looking.join(LOOK_UP_S)
    return list(dict.fromkeys(_plain(name) for name in found))


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def is_address(text: str) -> bool:
    """Whether a text is an address in figures."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
