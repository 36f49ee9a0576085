"""CURVE keys (Z85 text, 40 characters each): who holds them, and how they get on sockets."""

from __future__ import annotations

from dataclasses import dataclass, field

import zmq

from warpcore.bus.vocabulary import Role, ServiceName

KEY_LENGTH = 40
"""Characters of a key."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a key belongs to; `service` says which one where the role is service."""

    name: str
    role: Role
    service: ServiceName | None = None

    @property
    def sender(self) -> Role | ServiceName:
        """As what it stands in the table of rights: its role, of a service which one."""
        return self.role if self.service is None else self.service

    def speaks_for(self, worker: str) -> bool:
        """Whether this is the key of the worker of that name: a key of `gpu1` is that of `gpu1` and of `gpu1/…`."""
        return worker == self.name or worker.startswith(f"{self.name}/")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A public key and its secret."""

    public: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls) -> KeyPair:
        """A pair at random."""
        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode())


@dataclass(frozen=True, slots=True)
class ClientKey:
    """What a peer connects with: its own pair, and the scheduler's public key, by which it knows the right one."""

    holder: Holder
    pair: KeyPair
    server: str

    def put_on(self, socket: zmq.Socket[bytes]) -> None:
        """Have a socket connect under this key."""
        socket.setsockopt_string(zmq.CURVE_SERVERKEY, self.server)
        socket.setsockopt_string(zmq.CURVE_PUBLICKEY, self.pair.public)
        socket.setsockopt_string(zmq.CURVE_SECRETKEY, self.pair.secret)
