"""A worker's connection to its scheduler: what a person reads of refusals in its log."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.bus.key_ring import KeyRing
from tests.bus.server import serving
from warpcore.bus import messages as m
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.keys import Holder
from warpcore.bus.rights import Domain
from warpcore.bus.vocabulary import ErrorCode, Role, WorkerState
from warpcore.services.session.path_map import AS_TOLD
from warpcore.services.worker.identity import Identity
from warpcore.services.worker.link import Link
from warpcore.services.worker.log_lines import LogLines
from warpcore.services.worker.nanny import Nanny


def test_a_revoked_key_is_told_once_and_again_after_it_has_counted_meanwhile(
    free_ports: Callable[[int], list[int]], wait_until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    (port,) = free_ports(1)
    endpoints, ring = Endpoints(controller_port=port), KeyRing()
    key = ring.add(Holder("gpu1", Role.WORKER))
    link = Link(endpoints, Nanny(Identity("gpu1", "i", "host", 1)), key, LogLines(), AS_TOLD)

    def hears(message: m.Message, kind: type[m.Message]) -> None:
        link.dealer.send(message)
        wait_until(lambda: any(isinstance(one, kind) for one, _ in link.heard()), what=f"a {kind.TYPE}")

    def lines() -> list[str]:
        return [one.getMessage() for one in caplog.records if "revoked" in one.getMessage() and one.name == link_log]

    link_log, beat = "warpcore.worker", m.Heartbeat("gpu1", WorkerState.IDLE)
    with ring.guard() as guard, serving(endpoints.workers, lambda *_: m.Ok(), guard=guard, domain=Domain.WORKERS):
        hears(m.Goodbye("gpu1"), m.Ok)
        ring.revoke(key)
        for message in (beat, beat, m.Goodbye("gpu1"), beat):
            hears(message, m.Error)
        (line,) = lines()
        assert "this key was revoked" in line
        assert "--key" in line
        ring.know(key)
        hears(m.Goodbye("gpu1"), m.Ok)
        ring.revoke(key)
        hears(beat, m.Error)
        assert len(lines()) == 2
    link.close()


def test_other_refusals_say_that_it_asks_again(
    free_ports: Callable[[int], list[int]], wait_until: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    (port,) = free_ports(1)
    endpoints = Endpoints(controller_port=port)
    link = Link(endpoints, Nanny(Identity("w", "i", "host", 1)), None, LogLines(), AS_TOLD)
    with serving(endpoints.workers, lambda *_: m.Error(ErrorCode.INTERNAL, "disk full")):
        link.dealer.send(m.Goodbye("w"))
        wait_until(lambda: list(link.heard()), what="the refusal")
    link.close()
    assert "refuses a request of this worker: disk full; asking again" in caplog.text
