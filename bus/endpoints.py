"""Where the scheduler's four sockets are. Every process needs to know only this."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Host and TCP ports of the scheduler. Others connect to `host`; it binds to `bind` (default: loopback only)."""

    host: str = "127.0.0.1"
    controller_port: int = 8080
    control_port: int = 8081
    events_in_port: int = 8082
    events_out_port: int = 8083
    bind: str = "127.0.0.1"

    @property
    def workers(self) -> str:
        """Where workers connect. They need no other port."""
        return f"tcp://{self.host}:{self.controller_port}"

    @property
    def control(self) -> str:
        """Where services and clients send requests."""
        return f"tcp://{self.host}:{self.control_port}"

    @property
    def events_in(self) -> str:
        """Where services publish."""
        return f"tcp://{self.host}:{self.events_in_port}"

    @property
    def events_out(self) -> str:
        """Where subscribers listen."""
        return f"tcp://{self.host}:{self.events_out_port}"

    def bound(self, port: int) -> str:
        """The address that the scheduler binds for `port`."""
        return f"tcp://{self.bind}:{port}"
