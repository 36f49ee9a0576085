"""The envelope and the schema: what is sent is what is read, and nothing that arrives raises anything but WireError."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.bus.bodies import INTEGERS, PLAIN, TEXT, messages
from warpcore.bus import messages as wire
from warpcore.bus.envelope import MAX_DEPTH, MAX_FRAME_BYTES, WIRE_VERSION, Envelope, WireError, decode, encode
from warpcore.bus.events import check_event, read_event
from warpcore.bus.messages import EVENT_BODIES
from warpcore.bus.schema import REGISTRY, read_message

ALL_MESSAGES = sorted(REGISTRY.items())
ALL_BODIES = {**REGISTRY, **EVENT_BODIES}
ANYTHING = st.recursive(
    PLAIN
    | st.binary(max_size=5)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=5))
    | st.builds(msgpack.Timestamp, st.integers(0, 2**33))
    | st.integers(2**63, 2**64 - 1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.binary(max_size=3), inner, max_size=3),
    max_leaves=6,
)
"""All that msgpack can hold, more than a body may."""


def envelope_map(**changed: Any) -> dict[str, Any]:
    whole = {"v": 1, "type": "ok", "id": "1", "reply_to": None, "source": "test", "ts": 0.5, "seq": 0, "body": {}}
    return {**whole, **changed}


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_every_message_survives_the_wire(data: st.DataObject) -> None:
    name, cls = data.draw(st.sampled_from(sorted(ALL_BODIES.items())))
    message = data.draw(messages(cls))
    sent = Envelope(name, message.to_body(), "test", reply_to=data.draw(st.none() | TEXT), seq=data.draw(INTEGERS))
    frame = encode(sent)
    assert frame == msgpack.packb(msgpack.unpackb(frame)), "other programs' msgpack writes the same bytes"
    received = decode(frame)
    assert replace(received, body={}) == replace(sent, body={})
    assert cls.from_body(received.body) == message


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_wire_errors(frame: bytes) -> None:
    with pytest.raises(WireError):
        decode(frame)


@given(
    st.dictionaries(st.sampled_from(sorted(envelope_map())), ANYTHING), st.sets(st.sampled_from(sorted(envelope_map())))
)
@example({}, {"reply_to"})
@settings(max_examples=500, deadline=None)
def test_any_map_is_an_envelope_or_refused(changed: dict[str, Any], left_out: set[str]) -> None:
    whole = {name: value for name, value in envelope_map(**changed).items() if name not in left_out}
    frame = msgpack.packb(whole)
    with suppress(WireError):
        envelope = decode(frame)
        assert envelope.reply_to == whole.get("reply_to")
        encode(envelope)  # what was taken in can be passed on
    for name in ("files.register", "movie.status"):
        with suppress(WireError):
            read_event([name.encode(), msgpack.packb({**whole, "type": name})])


def test_an_envelope_without_reply_to_answers_nothing() -> None:
    whole = envelope_map()
    del whole["reply_to"]
    assert decode(msgpack.packb(whole)).reply_to is None


@pytest.mark.parametrize("value", [b"x", msgpack.ExtType(5, b"x"), msgpack.Timestamp(1), {b"k": 1}, 2**63], ids=str)
def test_a_body_holds_only_what_json_can_hold(value: Any) -> None:
    with pytest.raises(WireError):
        decode(msgpack.packb(envelope_map(body={"a": [value]})))


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_frames_that_are_no_event_raise_only_wire_errors(frames: list[bytes]) -> None:
    with pytest.raises(WireError):
        read_event(frames)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_frame_is_read_or_refused(data: st.DataObject) -> None:
    name, cls = data.draw(st.sampled_from(ALL_MESSAGES))
    frame = bytearray(encode(Envelope(name, data.draw(messages(cls)).to_body(), "test")))
    for _ in range(data.draw(st.integers(1, 4))):
        frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(frame[: data.draw(st.integers(0, len(frame)))])
    with suppress(WireError):
        envelope = decode(damaged)
        read_message(envelope.type, envelope.body)
    with suppress(WireError):
        read_event([name.encode(), damaged])


@given(st.sampled_from(sorted(ALL_BODIES)), st.dictionaries(TEXT, PLAIN, max_size=4), st.data())
@settings(max_examples=300)
def test_a_body_of_wrong_values_is_read_or_refused(name: str, body: dict[str, Any], data: st.DataObject) -> None:
    body |= {field: data.draw(PLAIN) for field in ALL_BODIES[name].__struct_fields__ if data.draw(st.booleans())}
    for read in (read_message, check_event):
        with suppress(WireError):
            read(name, body)


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"", "not msgpack"),
        (b"\xc1", "not msgpack"),
        (msgpack.packb([1, 2]), "not a map"),
        (msgpack.packb({1: 2}), "not msgpack"),
        (msgpack.packb(envelope_map()) + b"\x00", "not msgpack"),
        (msgpack.packb(envelope_map(v=2)), f"this is version {WIRE_VERSION}"),
        (msgpack.packb(envelope_map(v=None)), "wire version"),
        (msgpack.packb({name: value for name, value in envelope_map().items() if name != "id"}), "'id'"),
        (msgpack.packb(envelope_map(seq=True)), "'seq'"),
        (msgpack.packb(envelope_map(seq=2**63)), "more than 64 bits"),
        (msgpack.packb(envelope_map(body=[])), "'body'"),
        (msgpack.packb(envelope_map(body={"a": b"\x00" * 2 * MAX_FRAME_BYTES})), "over the limit"),
        (b"\x81\xa1a" * 5000 + b"\xc0", "not msgpack"),
    ],
)
def test_what_is_no_envelope_is_refused_with_its_reason(frame: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        decode(frame)


def test_nesting_is_limited_by_depth() -> None:
    def nested(depth: int) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for _ in range(depth - 1):
            body = {"a": body}
        return body

    assert decode(msgpack.packb(envelope_map(body=nested(MAX_DEPTH)))).body == nested(MAX_DEPTH)
    with pytest.raises(WireError, match="nested deeper"):
        decode(msgpack.packb(envelope_map(body=nested(MAX_DEPTH + 2))))


def test_fields_that_are_not_known_are_ignored() -> None:
    envelope = decode(msgpack.packb(envelope_map(type="item.get", body={"name": "a", "later": 1}, later=2)))
    assert read_message(envelope.type, envelope.body) == wire.GetItem("a")


@pytest.mark.parametrize("body", [{"a": "\udcff"}, {"a": 2**64}, {"a": object()}, {"a": "x" * 2 * MAX_FRAME_BYTES}])
def test_what_cannot_travel_is_refused_on_departure(body: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        encode(Envelope("ok", body, "test"))
