"""Ports for services that tests start: each is given to one process of tests of this host, whether it binds it or not.

A port that was free a moment ago may be given to another test before the service binds it. So each process of tests has
ports of its own. They lie below those that Linux gives to whoever names none.
"""

from __future__ import annotations

import atexit
import socket
from collections.abc import Iterator

_FIRST, _LAST = 10_000, 32_767
_BLOCK = 200


class _Ports:
    """The ports of this process: those that were given longest ago come first."""

    def __init__(self) -> None:
        self._own: list[int] = []

    def given(self) -> Iterator[int]:
        """Ports that nobody uses now, without end. More are taken where none of them is free."""
        while True:
            unused = 0
            for port in self._own:
                if _is_free(port):
                    unused += 1
                    yield port
            if not unused:
                self._own = self._new_block()

    def _new_block(self) -> list[int]:
        """Ports of a block that no process has, marked by an address that lasts as long as this one."""
        for first in range(_FIRST, _LAST - _BLOCK, _BLOCK):
            mark = socket.socket(socket.AF_UNIX)
            try:
                mark.bind(f"\0warpcore tests use the ports from {first}")
            except OSError:
                mark.close()
                continue
            atexit.register(mark.close)
            return [*range(first, first + _BLOCK)]
        raise RuntimeError(f"no block of {_BLOCK} ports is left for the tests of this process")


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


_PORTS = _Ports().given()


def free_ports_of_loopback(count: int) -> list[int]:
    """TCP ports on the loopback that nobody uses now, and no other process of tests gets."""
    return [next(_PORTS) for _ in range(count)]


def free_ports_in_a_row(count: int) -> int:
    """The first of so many such ports with successive numbers."""
    row: list[int] = []
    for _ in range(10 * _BLOCK):
        port = next(_PORTS)
        row = [*row, port] if row and port == row[-1] + 1 else [port]
        if len(row) == count:
            return row[0]
    raise RuntimeError(f"no {count} free ports in a row")
