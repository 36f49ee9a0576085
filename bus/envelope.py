"""One msgpack map a frame: encode, decode, and refuse what is malformed."""

from __future__ import annotations

import os
import random
import time
from typing import Annotated, Any, NoReturn

import msgpack
import msgspec

WIRE_VERSION = 1
MAX_FRAME_BYTES = 1024 * 1024
_LONGEST_FIELD = 256
_Text = Annotated[str, msgspec.Meta(max_length=_LONGEST_FIELD)]
"""A text of the envelope itself, such as an id or a source."""
MAX_DEPTH = 16
"""Deepest nesting of maps and lists in a body; our own bodies have at most 7 levels."""
_INTEGERS = range(-(2**63), 2**63)
"""Those that databases and other languages hold too."""
_SCALARS = frozenset({str, float, bool, type(None)})

_PACKER = msgspec.msgpack.Encoder()
"""Packs to the same bytes as the `msgpack` library, three times as fast. That one unpacks what strangers send: it knows
a frame's length before it takes memory for what the frame claims to hold."""

_ids = random.Random()
os.register_at_fork(after_in_child=_ids.seed)


class WireError(ValueError):
    """A frame or a body that cannot be a message of ours; the text says why, in one line, whatever it quotes."""

    def __init__(self, text: str) -> None:
        super().__init__("".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text))


class WireVersionError(WireError):
    """A frame of another wire version. `id` and `reply_to` are those of its message, as far as they can be told."""

    def __init__(self, raw: dict[str, Any]) -> None:
        source, self.id, self.reply_to = (_short_text(raw.get(name)) for name in ("source", "id", "reply_to"))
        super().__init__(
            f"{source or 'a peer'} speaks wire version {str(raw['v'])[:40]}, this is version {WIRE_VERSION}; "
            "install the same version of warpcore on both hosts"
        )


def new_id() -> str:
    """A request or message id, unique across hosts: 128 bits at random, without a system call for each."""
    return f"{_ids.getrandbits(128):032x}"


class Envelope(msgspec.Struct, frozen=True):
    """What travels in a frame: `type` names the body, `reply_to` the request that it answers.

    `seq` is the scheduler's change number of a durable event, 0 for everything else. `ts` (seconds since the epoch)
    is for people only: no decision compares clocks of two hosts. `user` is in whose name it is asked: from the API the
    name of a person's token; after a `Router` took it in, whom the sender's key proves, "" for nobody.
    """

    type: _Text
    body: dict[str, Any]
    source: _Text
    id: _Text = msgspec.field(default_factory=new_id)
    reply_to: _Text | None = None
    seq: int = 0
    ts: float = msgspec.field(default_factory=time.time)
    user: _Text = ""


msgspec.json.Decoder(Envelope)  # at import, in one thread: `prepare_for_threads` in schema.py says why


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
    if envelope.user:
        fields["user"] = envelope.user
    try:
        frame: bytes = _PACKER.encode(fields)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:  # also lone surrogates, too large integers
        raise WireError(f"{envelope.type} cannot be packed: {error}") from None
    if len(frame) > MAX_FRAME_BYTES:
        raise WireError(f"{envelope.type} is {len(frame)} bytes, over the limit of {MAX_FRAME_BYTES}")
    return frame


def decode(frame: bytes) -> Envelope:
    """Unpack one frame. Raises WireError for anything that is not a well-formed envelope, never anything else.

    Of another wire version `source`, `id` and `reply_to` alone are read, which every version has: WireVersionError.

    `reply_to` and `user` may be left out. A body holds what JSON can hold: maps with text as keys, lists, text,
    numbers, true, false and null; integers have 64 bits with their sign.
    """
    if len(frame) > MAX_FRAME_BYTES:
        raise WireError(f"frame of {len(frame)} bytes is over the limit of {MAX_FRAME_BYTES}")
    try:
        raw = msgpack.unpackb(frame, strict_map_key=True, ext_hook=_refuse_extension)
    except (ValueError, msgpack.UnpackException, msgpack.StackError, RecursionError, TypeError) as error:
        raise WireError(f"not msgpack: {error}") from None
    if not isinstance(raw, dict):
        raise WireError(f"not a map but {type(raw).__name__}")
    version = raw.get("v")
    if not isinstance(version, int) or isinstance(version, bool):
        raise WireError(f"wire version {str(version)[:40]!r}, this is version {WIRE_VERSION}")
    if version != WIRE_VERSION:
        raise WireVersionError(raw)
    if not raw.keys() >= _ALWAYS:
        raise WireError(f"field {min(_ALWAYS - raw.keys())!r} is missing")
    try:
        envelope = msgspec.convert(raw, Envelope)
    except msgspec.ValidationError as error:
        problem, _, place = str(error).partition(" - at ")
        raise WireError(f"field {place.strip('`').removeprefix('$.')!r}: {problem}") from None
    _check_integer(envelope.seq)
    _check_plain(envelope.body, MAX_DEPTH)
    return envelope


_ALWAYS = frozenset({"type", "id", "source", "ts", "seq", "body"})
"""Fields that each frame has; the others have a default."""


def _short_text(value: Any) -> str:
    """A text of the envelope, "" for anything else."""
    return value if isinstance(value, str) and len(value) <= _LONGEST_FIELD else ""


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
