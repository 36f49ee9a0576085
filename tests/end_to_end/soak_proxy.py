"""A TCP proxy of a test's own, which cuts its connections or lets them stand still."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of a socket that says no word at its end."""


class Proxy:
    """Listens at `port` of the loopback and passes each connection on to `target`, another port there."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._refuses = threading.Event()
        self._flows = threading.Event()
        self._flows.set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Reset all connections, and each new one at once, until `heal`."""
        self._refuses.set()
        self._reset_all()

    def stall(self) -> None:
        """Pass nothing on, and close nothing, until `heal`."""
        self._flows.clear()

    def heal(self) -> None:
        """Pass everything on again."""
        self._refuses.clear()
        self._flows.set()

    def close(self) -> None:
        """Listen no more, and end all connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._refuses.set()
        self._reset_all()
        self._flows.set()

    def _reset_all(self) -> None:
        with self._lock:
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    one.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._open |= {near, far}
            if self._refuses.is_set():
                self._reset_all()
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(source, sink), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self._flows.wait()
                sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        source.close()
