"""The table of who may send what: it names every message and topic, and gives nobody more than its own."""

from __future__ import annotations

import pytest

from warpcore.bus.envelope import Envelope
from warpcore.bus.keys import Holder
from warpcore.bus.messages import EVENT_BODIES, FORWARDED_TOPICS
from warpcore.bus.rights import MAY_PUBLISH, MAY_SEND, MAY_SUBSCRIBE, Domain, connecting, why_not_publish, why_not_send
from warpcore.bus.schema import REGISTRY, Port
from warpcore.bus.vocabulary import Role, ServiceName
from warpcore.services.scheduler.core.handlers import HANDLERS
from warpcore.services.scheduler.core.machine import handle as _registers_handlers  # noqa: F401
from warpcore.services.scheduler.shell import requests as _registers_more  # noqa: F401

TAKEN = {name: kind for name, kind in REGISTRY.items() if kind.PORT is not None}
READS = {one.message.TYPE for one in HANDLERS.values() if one.reads} - {"settings.preview"}
"""A preview looks at whatever files it is told, as a change does."""

ADA = Holder("ada", Role.OPERATOR)
EVE = Holder("eve", Role.OBSERVER)
GPU1 = Holder("gpu1", Role.WORKER)
API = Holder("api", Role.SERVICE, ServiceName.API)
TRACKER = Holder("tracker", Role.SERVICE, ServiceName.TRACKER)
DISCOVERER = Holder("finder", Role.SERVICE, ServiceName.DISCOVERER)


def sent(type: str, **body: object) -> Envelope:
    return Envelope(type, dict(body), "test")


def test_every_message_that_the_scheduler_takes_has_its_place_in_the_table() -> None:
    assert MAY_SEND.keys() == TAKEN.keys()
    assert all(MAY_SEND.values())


def test_workers_send_all_of_their_port_and_nothing_else() -> None:
    for name, kind in TAKEN.items():
        assert (Role.WORKER in MAY_SEND[name]) == (kind.PORT is Port.WORKER)


def test_an_observer_changes_nothing_and_reads_what_an_operator_reads() -> None:
    for name in TAKEN:
        reads = Role.OPERATOR in MAY_SEND[name] and name in READS
        assert (Role.OBSERVER in MAY_SEND[name]) == reads, name


def test_the_api_asks_what_people_ask() -> None:
    of_its_own = {"audit.note"}  # what it changes and refuses itself
    for name in MAY_SEND.keys() - of_its_own:
        assert (ServiceName.API in MAY_SEND[name]) == (Role.OPERATOR in MAY_SEND[name]), name


@pytest.mark.parametrize(
    ("service", "changes"),
    [
        (ServiceName.DISCOVERER, {"files.register"}),
        (ServiceName.TRACKER, {"export.collected"}),
        (ServiceName.NOTIFIER, set()),
        (ServiceName.POOL, {"pool.report", "pool.drain"}),
    ],
)
def test_a_service_changes_only_its_own(service: ServiceName, changes: set[str]) -> None:
    assert {name for name, senders in MAY_SEND.items() if service in senders and name not in READS} == changes


@pytest.mark.parametrize(
    ("holder", "name", "allowed"),
    [
        (GPU1, "gpu1", True),
        (GPU1, "gpu1/1", True),
        (GPU1, "gpu1/node7/cuda:0", True),
        (GPU1, "gpu10", False),
        (GPU1, "gpu2", False),
        (GPU1, "gpu2/gpu1", False),
        (GPU1, "", False),
        (GPU1, None, False),
        (GPU1, ["gpu1"], False),
        (ADA, "ada", False),
    ],
)
def test_a_worker_speaks_only_for_names_of_its_key(holder: Holder, name: object, allowed: bool) -> None:
    assert (why_not_send(holder, sent("worker.register", name=name)) == "") == allowed
    for type in sorted(name for name, kind in TAKEN.items() if kind.PORT is Port.WORKER and name != "worker.register"):
        assert (why_not_send(holder, sent(type, worker=name)) == "") == allowed


def test_what_stands_nowhere_is_forbidden() -> None:
    assert "does not allow" in why_not_send(ADA, sent("later.kind"))
    assert "does not allow" in why_not_publish(DISCOVERER, sent("movie.done"))


def test_a_service_publishes_as_itself_alone() -> None:
    assert not why_not_publish(TRACKER, sent("service.heartbeat", service="tracker"))
    assert "called itself 'discoverer'" in why_not_publish(TRACKER, sent("service.heartbeat", service="discoverer"))
    assert "called itself 'scheduler'" in why_not_publish(TRACKER, sent("service.heartbeat", service="scheduler"))
    assert not why_not_publish(DISCOVERER, sent("file.ready", path="a"))
    for other in (TRACKER, API, ADA, EVE, GPU1):
        assert "does not allow" in why_not_publish(other, sent("file.ready", path="a"))


def test_the_topics_that_may_be_published_are_those_that_the_hub_passes_on() -> None:
    assert set(MAY_PUBLISH) == set(FORWARDED_TOPICS)
    assert all(any(topic.startswith(begin) for topic in EVENT_BODIES) for begin in MAY_PUBLISH)


def test_only_those_with_a_right_there_connect_to_a_socket() -> None:
    assert connecting(Domain.WORKERS) == {Role.WORKER}
    assert connecting(Domain.CONTROL) == {Role.OPERATOR, Role.OBSERVER, *ServiceName}
    assert connecting(Domain.EVENTS_IN) == set(ServiceName)
    assert connecting(Domain.EVENTS_OUT) == MAY_SUBSCRIBE == {Role.OPERATOR, Role.OBSERVER, *ServiceName}
