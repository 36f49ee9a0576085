"""Ports for services that tests start."""

from __future__ import annotations

import socket


def free_ports_of_loopback(count: int) -> list[int]:
    """TCP ports on the loopback that nobody uses now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
