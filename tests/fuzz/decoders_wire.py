"""What arrives at sockets: the envelope, each message, each event, and what the API's clients read."""

from __future__ import annotations

import json
import types
import typing
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from tests.fuzz.decoder import decoder
from tests.fuzz.mutating import Form
from warpcore.bus.dealer import read_single
from warpcore.bus.envelope import Envelope, WireError, decode, encode
from warpcore.bus.events import read_event
from warpcore.bus.messages import EVENT_BODIES
from warpcore.bus.schema import REGISTRY, Message, read_message
from warpcore.services.api.bodies import parse_object
from warpcore.services.api.errors import Problem
from warpcore.services.api.live.readers import LastEvent
from warpcore.services.api.mirror.filtering import QueryError, parse_filter
from warpcore.services.api.mirror.sorting import parse_sort
from warpcore.services.client import ClientError
from warpcore.services.client._events import parsed
from warpcore.services.client._series import Series
from warpcore.services.process.logs import read_event as read_log_line

_SCALARS: dict[Any, Any] = {int: 3, float: 1.5, str: "a", bool: True, Any: {"a": [1, "b"]}}


def filled(cls: type[Message]) -> Message:
    """A message of a type with a value in each field, also in each list and map."""
    hints = get_type_hints(cls)
    return cls(**{name: _value(hints[name]) for name in cls.__struct_fields__})


def _value(hint: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return _value(next(one for one in arguments if one is not type(None)))
    if origin is list:
        return [_value(arguments[0])]
    if origin is tuple:
        return tuple(map(_value, arguments))
    if origin is dict:
        return {"a": _value(arguments[1])}
    if isinstance(hint, type) and issubclass(hint, Message):
        return filled(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    return _SCALARS[hint]


def frames_of(kinds: dict[str, type[Message]]) -> list[bytes]:
    """A frame of each type, whole, and one without any value that may be left out."""
    frames = []
    for name, cls in sorted(kinds.items()):
        body = filled(cls).to_body()
        needed = {field.name for field in msgspec.structs.fields(cls) if field.required}
        for one in (body, {field: value for field, value in body.items() if field in needed}):
            frames.append(encode(Envelope(name, one, "fuzz", id="1", ts=0.5)))
    return frames


@decoder(WireError, seeds=lambda: frames_of(REGISTRY), form=Form.MSGPACK)
def message(frame: bytes) -> None:
    """A frame with one of all messages; what is taken in can be passed on."""
    envelope = read_single([frame])
    encode(envelope)
    read_message(envelope.type, envelope.body).to_body()


@decoder(WireError, seeds=lambda: frames_of(EVENT_BODIES), form=Form.MSGPACK)
def event(frame: bytes) -> None:
    """The frames of an event under its own topic."""
    topic = decode(frame).type
    read_event([topic.encode(), frame])


@decoder(WireError, seeds=lambda: frames_of({"ok": REGISTRY["ok"]}), form=Form.MSGPACK)
def envelope(frame: bytes) -> None:
    """The envelope of a message whose body is empty."""
    decode(frame)


# --- HTTP ------------------------------------------------------------------------------------------------------------

BODIES = (b'{"ctf": {"voltage": 200}, "names": ["a"], "x": [1.5, null, true]}',)


@decoder(Problem, seeds=lambda: BODIES, form=Form.JSON, words=(b"NaN", b"Infinity", b"1e999"))
def http_body(data: bytes) -> None:
    """The body of a request."""
    parse_object(data)


QUERIES = (b"ctf.defocusUm:0.5..2", b"status:failed,done", b"name:*a[b]?*", b"-ctf.resolutionAngstrom,name", b"e1:55")


@decoder(QueryError, seeds=lambda: QUERIES, words=(b":", b"..", b"-", b",", b"none", b"nan", b"inf"))
def query_of_movies(data: bytes) -> None:
    """A filter, a sort key, and the id of an event."""
    text = data.decode("utf-8", "replace")
    LastEvent.parse(text)
    if text[:1] not in ("-", ","):
        parse_filter(text)
    parse_sort(text)


# --- what clients read -----------------------------------------------------------------------------------------------


def series() -> list[bytes]:
    """Two movies with a column of each kind, as docs/rest.md lays them out."""
    columns: list[dict[str, Any]] = [
        {"name": "id", "kind": "u32", "offset": 0, "bytes": 8},
        {"name": "name", "kind": "text", "offset": 8, "bytes": 3},
        {"name": "status", "kind": "word", "offset": 12, "bytes": 2, "width": 1, "words": ["a"]},
        {"name": "ctf.defocusUm", "kind": "number", "offset": 16, "bytes": 8, "digits": 2},
    ]
    head = json.dumps({"seq": 4, "epoch": "e", "full": True, "count": 2, "total": 2, "columns": columns}).encode()
    head = head.ljust(-(-(8 + len(head)) // 8) * 8 - 8)
    body = b"\2\0\0\0\1\0\0\0a\nb\0\0\xff\0\0\1\2\3\4\5\6\7\x80"
    return [b"WCS1" + len(head).to_bytes(4, "little") + head + body]


@decoder(ClientError, seeds=series, words=(b'"width": 2', b'"kind": "word"', b'"count": 9'))
def series_of_columns(data: bytes) -> None:
    """The binary series, as the Python client reads it."""
    Series.decode(data)


EVENTS = (b'retry: 2\n: ping\n\nid: e:4\nevent: movie.done\ndata: {"movie": {"name": "a"}}\n\nevent: x\n\n',)


@decoder(ClientError, seeds=lambda: EVENTS, words=(b"\n\n", b"event:", b"data: {}\n", b"id:"))
def stream_of_events(data: bytes) -> None:
    """A stream of server-sent events, as the Python client reads it."""
    list(parsed(data.splitlines(keepends=True)))


LOG_LINES = (b'{"time": "2026-11-26T13:38:40.937Z", "level": "info", "logger": "a", "message": "b", "movie": "m"}',)


@decoder(seeds=lambda: LOG_LINES, form=Form.JSON, words=(b'"level": "error"', b'"traceback": "a"'))
def log_line(data: bytes) -> None:
    """A line of a child's log: None for what is none."""
    read_log_line(data.decode("utf-8", "replace"))
