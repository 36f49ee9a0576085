"""Bytes and messages that no part of warpcore sends, for each port of a session."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import httpx
import msgpack
import zmq

from warpcore.bus import messages as wire
from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.keys import ClientKey
from warpcore.bus.messages import EVENT_BODIES
from warpcore.bus.schema import REGISTRY
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.access.keys import read_key
from warpcore.services.access.sessions import session_at

GREETING = b"\xff\0\0\0\0\0\0\0\1\x7f\3\1NULL" + bytes(48)
"""The first bytes of a ZeroMQ peer."""
GUESSED_LEASE = 10**9
FRAMES, CONNECTIONS, LINGER_MS = 100, 5, 1000


@dataclass(frozen=True, slots=True)
class Target:
    """A session on this host: its ports, and the names of its workers; garbage comes under keys of the session too."""

    rest: int
    workers: int
    control: int
    events_in: int
    events_out: int
    names: tuple[str, ...]
    auth: httpx.Auth


def send_garbage(dice: random.Random, target: Target) -> None:
    """Send it to all ports of a session."""
    rest, workers, control = target.rest, target.workers, target.control
    events_in, events_out, names = target.events_in, target.events_out, target.names
    session = session_at("127.0.0.1", control)
    keys = {name: read_key(Path(file)) for name, file in session.keys.items()} if session is not None else {}
    for port in (rest, workers, control, events_in, events_out):
        for _ in range(CONNECTIONS):
            _send_bytes(dice, port)
    with zmq.Context() as context:
        context.linger = LINGER_MS
        for port, key in ((workers, keys.get("worker")), (control, keys.get("api"))):
            _send_frames(context, zmq.DEALER, port, [_message(dice, names) for _ in range(FRAMES)], key)
        _send_frames(context, zmq.XPUB, events_in, [_event(dice) for _ in range(FRAMES)], keys.get("discoverer"))
        noise = [[dice.randbytes(30)] for _ in range(FRAMES)]
        _send_frames(context, zmq.XSUB, events_out, noise, keys.get("operator"))
    _send_requests(dice, rest, target.auth)


def _send_bytes(dice: random.Random, port: int) -> None:
    """Random bytes; some of them behind a greeting, so that they are read as frames."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as client:
        client.sendall(dice.choice([b"", GREETING, b"GET / HTTP/1.1\r\n"]) + dice.randbytes(dice.randrange(1, 4000)))


def _send_frames(
    context: zmq.Context[zmq.Socket[bytes]], kind: int, port: int, messages: list[list[bytes]], key: ClientKey | None
) -> None:
    with context.socket(kind) as peer:
        if key is not None:
            key.put_on(peer)
        peer.connect(f"tcp://127.0.0.1:{port}")
        if kind == zmq.XPUB:
            peer.poll(LINGER_MS)  # what is sent before somebody subscribes goes nowhere
        for frames in messages:
            with contextlib.suppress(zmq.Again):
                peer.send_multipart(frames, zmq.NOBLOCK)


def _message(dice: random.Random, names: Sequence[str]) -> list[bytes]:
    """Frames for a ROUTER."""
    type = dice.choice([type for type, cls in sorted(REGISTRY.items()) if cls.__struct_fields__])
    envelope = Envelope(type, _body(dice, REGISTRY[type].__struct_fields__), "garbage")
    whole = {field.name: getattr(envelope, field.name) for field in fields(envelope)} | {"v": 1}
    lacking = {key: value for key, value in whole.items() if key != dice.choice(list(whole))}
    frame = encode(envelope)
    return dice.choice(
        [
            [frame],
            [msgpack.packb(lacking)],
            [frame[: dice.randrange(len(frame))]],
            [dice.randbytes(50)],
            [frame, frame],
            [b""],
            [encode(_forged(dice, dice.choice(names)))],
        ]
    )


def _event(dice: random.Random) -> list[bytes]:
    """A topic, and a body that is not its own; `seq` is far ahead in some."""
    topic = dice.choice(sorted(EVENT_BODIES))
    body = _body(dice, EVENT_BODIES[topic].__struct_fields__)
    frame = encode(Envelope(topic, body, "garbage", seq=dice.choice([0, 0, 10**6])))
    return [topic.encode(), dice.choice([frame, dice.randbytes(50), b"", frame[:-5]])]


def _body(dice: random.Random, names: tuple[str, ...]) -> dict[str, Any]:
    """Values at random, of which the first is of a type that its field does not have."""
    values = [None, True, -1, 1.5e300, "\0'\"\n", [], {}, [[["x"]]], {"a": {"b": -(2**63)}}]
    return {name: dice.choice(values) for name in names} | {name: [[None]] for name in names[:1]} | {"\n": "unknown"}


def _forged(dice: random.Random, name: str) -> Envelope:
    """A well-formed word in the name of a worker, of a task that nobody has given, or from another connection."""
    lease = GUESSED_LEASE + dice.randrange(1000)
    outputs = {"motion": {".warpcore/state.db": 1, "../../etc/passwd": 1}}
    message = dice.choice(
        [
            wire.TaskFinished(name, lease, ["motion"], {"motion": {}}, outputs),
            wire.TaskFailed(name, lease, FailureKind.INPUT, "motion", "forged"),
            wire.ComputeDied(name, [1, 2, 3], 1, FailureKind.BAD_GPU, "forged"),
            wire.Goodbye(name),
            wire.RegisterWorker(name, f"another {lease}", "nowhere", 1, "cpu", 0, {}),
        ]
    )
    return Envelope(message.TYPE, message.to_body(), "garbage")


def _send_requests(dice: random.Random, port: int, auth: httpx.Auth) -> None:
    """Requests that REST must refuse, from one who may operate."""
    bodies = [b"{", b'{"ctf": {"range_max": Infinity}}', b'{"ctf": 3}', dice.randbytes(200), b"[" * 5000]
    url = f"http://127.0.0.1:{port}"
    with httpx.Client(base_url=url, timeout=10, auth=auth) as client, contextlib.suppress(httpx.HTTPError):
        for body in bodies:
            client.patch("/api/settings", content=body, headers={"Content-Type": "application/json"})
            client.post("/api/items/retry", content=body, headers={"Content-Type": "application/json"})
        client.get("/api/items/%00%0a'\"")
