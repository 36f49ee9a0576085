"""Peers of an earlier version at a scheduler of today: their recorded frames are answered as they were then."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from tests.bus.older_wire import Recorded, recorded
from tests.services.scheduler_site import Site, WaitUntil
from warpcore.bus.schema import REGISTRY
from warpcore.services.storage.looking import read_token


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


class Peers:
    """Raw sockets, one for each peer that was recorded, and the raw maps that they hear."""

    def __init__(self, site: Site, stack: ExitStack) -> None:
        self._site, self._stack = site, stack
        self._sockets: dict[str, zmq.Socket[bytes]] = {}
        self.heard: list[dict[str, Any]] = []

    def send(self, one: Recorded) -> None:
        source = one.frame["source"]
        if source not in self._sockets:
            peer = self._sockets[source] = self._stack.enter_context(zmq.Context.instance().socket(zmq.DEALER))
            peer.linger = 0
            endpoints = self._site.endpoints
            peer.connect(endpoints.workers if one.to == "worker" else endpoints.control)
        self._sockets[source].send(msgpack.packb(one.frame))

    def hears(self, what: Callable[[dict[str, Any]], bool]) -> bool:
        for peer in self._sockets.values():
            while peer.poll(0):
                self.heard.append(msgpack.unpackb(peer.recv()))
        return any(map(what, self.heard))

    def hears_of_lease(self, lease: int) -> Callable[[], bool]:
        return lambda: self.hears(lambda raw: raw["body"].get("lease") == lease)

    def hears_answer(self, id: str) -> Callable[[], bool]:
        return lambda: self.hears(lambda raw: raw["reply_to"] == id)


def from_peers(site: Site) -> Iterator[Recorded]:
    """What peers said, with this session's folders and the token of now, as a worker reads it anew each time."""
    for one in recorded():
        if one.to in ("worker", "control"):
            text = json.dumps(one.frame).replace("/session", str(site.processing.parent))
            frame = json.loads(text)
            if frame["type"] == "worker.sees":
                frame["body"]["token"] = read_token(site.processing)
            yield Recorded(one.to, frame)


def test_a_session_of_peers_of_an_earlier_version_goes_as_it_went_then(site: Site, wait_until: WaitUntil) -> None:
    answered = {one.frame["reply_to"]: one.frame["type"] for one in recorded() if one.to == "peer"}
    given = {one.frame["body"]["lease"] for one in recorded() if one.frame["type"] == "task.assign"}
    with site.running(), ExitStack() as stack:
        peers = Peers(site, stack)
        wait_until(lambda: read_token(site.processing), what="the scheduler's first look")
        for one in from_peers(site):
            if (lease := one.frame["body"].get("lease")) in given:
                wait_until(peers.hears_of_lease(lease), what=f"lease {lease}")
            peers.send(one)
            if REGISTRY[one.frame["type"]].ANSWERS:
                wait_until(peers.hears_answer(one.frame["id"]), what=f"answer to {one.name}")
    asked = {one.frame["id"]: one.frame["type"] for one in recorded()}
    answers = [
        (asked[raw["reply_to"]], raw["type"], answered[raw["reply_to"]]) for raw in peers.heard if raw["reply_to"]
    ]
    assert len(answers) > 30
    # No real worker has written any files here, so there is nothing to export.
    assert {name for name, now, then in answers if now != then} <= {"export.start"}
