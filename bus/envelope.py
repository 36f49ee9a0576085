"""One msgpack map a frame: encode, decode, and refuse what is malformed."""

from __future__ import annotations

import os
import random
import time
from dataclasses import dataclass, field
from typing import Any, NoReturn

import msgpack

WIRE_VERSION = 1
MAX_FRAME_BYTES = 1024 * 1024
LONGEST_WORD = 256
"""Characters of each text of the envelope itself, such as an id or a source."""
MAX_DEPTH = 16
"""Deepest nesting of maps and lists in a body; our own bodies have at most 7 levels."""
_INTEGERS = range(-(2**63), 2**63)
"""Those that databases and other languages hold too."""
_SCALARS = frozenset({str, float, bool, type(None)})


_ids = random.Random()
os.register_at_fork(after_in_child=_ids.seed)


class WireError(ValueError):
    """A frame or a body that cannot be a message of ours; the text says why."""


def new_id() -> str:
    """A request or message id, unique across hosts: 128 bits at random, without a system call for each."""
    return f"{_ids.getrandbits(128):032x}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What travels in a frame: `type` names the body, `reply_to` the request that it answers.

    `seq` is the scheduler's change number of a durable event, 0 for everything else. `ts` (seconds since the epoch)
    is for people only: no decision compares clocks of two hosts.
    """

    type: str
    body: dict[str, Any]
    source: str
    id: str = field(default_factory=new_id)
    reply_to: str | None = None
    seq: int = 0
    ts: float = field(default_factory=time.time)


def encode(envelope: Envelope) -> bytes:
    """Pack an envelope into one frame. Raises WireError if it is over the size limit or holds what msgpack cannot."""
    fields = {
        "v": WIRE_VERSION,
        "type": envelope.type,
        "id": envelope.id,
        "reply_to": envelope.reply_to,
        "source": envelope.source,
        "ts": envelope.ts,
        "seq": envelope.seq,
        "body": envelope.body,
    }
    try:
        frame: bytes = msgpack.packb(fields)
    except (TypeError, ValueError, OverflowError) as error:  # also text with lone surrogates, integers over 64 bit
        raise WireError(f"{envelope.type} cannot be packed: {error}") from None
    if len(frame) > MAX_FRAME_BYTES:
        raise WireError(f"{envelope.type} is {len(frame)} bytes, over the limit of {MAX_FRAME_BYTES}")
    return frame


def decode(frame: bytes) -> Envelope:
    """Unpack one frame. Raises WireError for anything that is not a well-formed envelope, never anything else.

    `reply_to` may be left out. A body holds what JSON can hold: maps with text as keys, lists, text, numbers, true,
    false and null; integers have 64 bits with their sign.
    """
    if len(frame) > MAX_FRAME_BYTES:
        raise WireError(f"frame of {len(frame)} bytes is over the limit of {MAX_FRAME_BYTES}")
    try:
        raw = msgpack.unpackb(frame, strict_map_key=True, ext_hook=_refuse_extension)
    except (ValueError, msgpack.UnpackException, msgpack.StackError, RecursionError, TypeError) as error:
        raise WireError(f"not msgpack: {error}") from None
    if not isinstance(raw, dict):
        raise WireError(f"not a map but {type(raw).__name__}")
    if raw.get("v") != WIRE_VERSION:
        raise WireError(f"wire version {str(raw.get('v'))[:40]}, this is version {WIRE_VERSION}")
    for name, kinds in _FIELDS.items():
        value = raw.get(name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise WireError(f"field {name!r} is missing or not of its type")
        if isinstance(value, str) and len(value) > LONGEST_WORD:
            raise WireError(f"field {name!r} has more than {LONGEST_WORD} characters")
    _check_integer(raw["seq"])
    _check_plain(raw["body"], MAX_DEPTH)
    return Envelope(
        type=raw["type"],
        body=raw["body"],
        source=raw["source"],
        id=raw["id"],
        reply_to=raw.get("reply_to"),
        seq=raw["seq"],
        ts=float(raw["ts"]),
    )


_FIELDS: dict[str, tuple[type, ...]] = {
    "type": (str,),
    "id": (str,),
    "source": (str,),
    "ts": (float, int),
    "seq": (int,),
    "reply_to": (str, type(None)),
    "body": (dict,),
}


def _refuse_extension(code: int, data: bytes) -> NoReturn:
    raise ValueError(f"extension type {code}")


def _check_plain(value: Any, depth: int) -> None:
    """Raise WireError where a map or list is nested too deeply or holds what JSON cannot (bytes, times)."""
    if depth == 0:
        raise WireError(f"body is nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise WireError(f"body has a key of type {type(key).__name__}")
        value = value.values()
    elif not isinstance(value, list):
        raise WireError(f"body holds {type(value).__name__}")
    for child in value:  # each value of each message comes through here: scalars cost no call
        kind = type(child)
        if kind is int:
            _check_integer(child)
        elif kind not in _SCALARS:
            _check_plain(child, depth - 1)


def _check_integer(value: int) -> None:
    if value not in _INTEGERS:
        raise WireError(f"the integer {value} has more than 64 bits")
