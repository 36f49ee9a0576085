"""Whatever arrives at a socket of ours, everything goes on: messages of every type with any values, and any bytes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.bus.bodies import messages
from tests.bus.server import serving
from tests.services.nanny_talk import READY, answer, task
from tests.services.scheduler_site import Site, WaitUntil, WorkerSide, ask, files, opened
from warpcore.bus import messages as wire
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope
from warpcore.bus.follower import Event, Follower
from warpcore.bus.messages import EVENT_BODIES
from warpcore.bus.schema import REGISTRY
from warpcore.services.worker.effects import ToScheduler
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.nanny import Nanny

ALL = sorted({**REGISTRY, **EVENT_BODIES}.items())
FAMILIAR: dict[str, st.SearchStrategy[Any]] = {
    "name": st.sampled_from(("a", "b", "c")),
    "names": st.just(["a", "b"]),
    "worker": st.just("w"),
    "lease": st.integers(0, 4),
    "leases": st.lists(st.integers(0, 4), max_size=3),
    "instance": st.just("1"),
}
"""Values of fields that name what there is, so that messages get further than to a refusal."""
EXTREMES = (float("nan"), float("inf"), 1e300, -1, 2**63 - 1, 2**64 - 1)
FUZZ = settings(
    max_examples=3 * len(ALL),
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
    database=None,
)


@st.composite
def envelope_maps(draw: st.DrawFn) -> dict[str, Any]:
    """The map of an envelope with a message of any type, of which some parts may be missing or wrong."""
    name, cls = draw(st.sampled_from(ALL))
    body = draw(messages(cls)).to_body()
    body |= {field: draw(FAMILIAR[field]) for field in FAMILIAR.keys() & body.keys() if draw(st.booleans())}
    sent = Envelope(name, body, "fuzz")
    whole = {
        "v": 1,
        "reply_to": None,
        **{one: getattr(sent, one) for one in ("type", "id", "source", "ts", "seq", "body")},
    }
    if draw(st.integers(0, 3)) == 0:
        whole.pop(draw(st.sampled_from(sorted(whole))))
    if draw(st.integers(0, 3)) == 0:
        whole[draw(st.sampled_from(sorted(whole)))] = draw(st.none() | st.integers(-1, 2**64 - 1) | st.text(max_size=3))
    return whole


def without_numbers(value: Any, instead: float) -> Any:
    """The value with another number in place of each one."""
    if isinstance(value, dict):
        return {name: without_numbers(one, instead) for name, one in value.items()}
    if isinstance(value, list):
        return [without_numbers(one, instead) for one in value]
    return instead if type(value) is type(instead) else value


def packed(whole: dict[str, Any]) -> bytes:
    frame: bytes = msgpack.packb(whole)
    return frame


@contextmanager
def connected(kind: int, *addresses: str) -> Iterator[list[zmq.Socket[bytes]]]:
    """Plain sockets, which send any bytes."""
    with ExitStack() as open_sockets:
        found = []
        for address in addresses:
            one = open_sockets.enter_context(zmq.Context.instance().socket(kind))
            one.setsockopt(zmq.LINGER, 0)
            one.connect(address)
            found.append(one)
        yield found


def test_the_scheduler_takes_anything_at_each_of_its_ports(
    tmp_path: Path, free_ports: Callable[[int], list[int]], wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(tmp_path, free_ports(4))
    ports = site.endpoints
    with (
        opened(site) as (session, client),
        connected(zmq.DEALER, ports.control, ports.workers) as dealers,
        connected(zmq.PUB, ports.events_in) as (publisher,),
        connected(zmq.XSUB, ports.events_out) as (subscriber,),
        Follower(ports, "test") as follower,
    ):
        ask(client, files("a.tif", "b.tif", "c.tif"))
        worker = WorkerSide(site, "w")
        worker.register()
        wait_until(lambda: worker.got(wire.WorkerRegistered))

        @given(envelope_maps(), st.binary(max_size=40))
        @FUZZ
        def throw(whole: dict[str, Any], rubbish: bytes) -> None:
            frame, topic = packed(whole), str(whole.get("type")).encode()
            for one in (*dealers, worker.dealer.socket):
                one.send(frame)
                one.send(rubbish)
            publisher.send_multipart([topic, frame])
            publisher.send_multipart([rubbish, frame])
            subscriber.send(rubbish)
            list(worker.dealer.receive())
            follower.poll(0)

        throw()
        ask(client, wire.StartProcessing())
        assert ask(client, files("d.tif")).added == 1
        assert min(ask(client, wire.GetHealth()).malformed.values()) > 50
        items = []
        wait_until(lambda: items.extend(follower.poll(0.1)) or any(_adds(one, "d") for one in items), what="d is told")
        worker.dealer.close()
        assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
        assert session.store.head > 0


def _adds(item: object, name: str) -> bool:
    """Whether an event tells of this movie. Others, as of tasks, have a movie's name alone."""
    movie = item.envelope.body.get("movie") if isinstance(item, Event) else None
    return isinstance(movie, dict) and movie.get("name") == name


def test_a_nanny_takes_any_message_as_a_word_of_the_scheduler_and_as_an_answer() -> None:
    @given(st.data())
    @settings(FUZZ, max_examples=80)
    def hear(data: st.DataObject) -> None:
        nanny = Nanny(Identity("w", "i", "h", 1))
        nanny.start(0.0)
        effects = nanny.from_compute(READY, 1.0)
        answer(nanny, effects, wire.RegisterWorker, wire.WorkerRegistered("w", 2.0, []), 1.0)
        effects = nanny.from_scheduler(task(1), None, 1.5)
        for now in range(2, 7):
            asked = [None, *(effect.id for effect in effects if isinstance(effect, ToScheduler))]
            said = data.draw(messages(data.draw(st.sampled_from(ALL))[1]))
            effects = nanny.from_scheduler(said, data.draw(st.sampled_from(asked)), float(now))
            effects += nanny.tick(now + 0.5, wire.Load())

    hear()


def test_a_dealer_takes_anything_and_gets_its_answer(
    free_ports: Callable[[int], list[int]], wait_until: WaitUntil
) -> None:
    endpoints = Endpoints(controller_port=free_ports(1)[0])
    frames: list[bytes] = []

    @given(envelope_maps(), st.binary(max_size=60))
    @settings(FUZZ, max_examples=100)
    def throw(whole: dict[str, Any], rubbish: bytes) -> None:
        frames.extend([packed(whole), rubbish])

    throw()
    heard: list[Envelope] = []
    with (
        serving(endpoints.workers, lambda _, before: frames[before] if before < len(frames) else wire.Ok()),
        Dealer(endpoints.workers, b"w", "test", queued=1000) as dealer,
    ):
        for _ in range(len(frames) + 1):
            dealer.send(wire.Goodbye("w"))
        wait_until(
            lambda: heard.extend(dealer.receive()) or any(one.type == "ok" and one.source == "test" for one in heard)
        )
        assert len(heard) + dealer.malformed == len(frames) + 1
        assert dealer.malformed > 50
