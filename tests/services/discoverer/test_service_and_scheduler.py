"""The whole discoverer and its scheduler: late, restarted, silent, refusing, sending other settings or rubbish."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.services.discoverer.peer import Peer, Registry, Running
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.messages import RegisterFiles, ServiceEvent, SettingsEvent
from warpcore.services.discoverer import service
from warpcore.services.discoverer.examining import Examined
from warpcore.services.discoverer.incubation import Incubation
from warpcore.services.discoverer.listing import Listing


def test_existing_files_are_registered_in_batches_and_a_restart_repeats_none(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    for number in range(300):
        os.link(movie, data / f"m{number:04d}.tif")
    with Running(endpoints, data):
        wait_until(lambda: len(registry.files) == 300, what="300 files")
    assert len(registry.batches) < 30
    batches, restarted_at = len(registry.batches), time.time()
    with Running(endpoints, data):
        shutil.copyfile(movie, data / "new.tif")
        wait_until(lambda: "new.tif" in registry.files, what="the new one")
    assert registry.batches[batches:] == [["new.tif"]]
    assert len(registry.added) == 301
    seen = [one.body["path"] for one in peer.events if one.type == "file.seen" and one.ts >= restarted_at]
    assert seen in (["new.tif"], [])


def test_it_waits_for_a_scheduler_that_comes_late_and_goes_on_after_its_restart(
    endpoints: Endpoints, registry: Registry, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data):
        first = Peer(endpoints, registry)
        try:
            wait_until(lambda: "a.tif" in registry.files, what="first file")
        finally:
            first.close()
        shutil.copyfile(movie, data / "b.tif")
        second = Peer(endpoints, registry)
        try:
            wait_until(lambda: "b.tif" in registry.files, what="file of the time without scheduler")
        finally:
            second.close()
    assert registry.added == ["a.tif", "b.tif"]


def test_a_lost_acknowledgement_costs_a_repeat_not_a_file(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    peer.swallow = 1
    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data):
        wait_until(lambda: len(peer.registrations) == 2, what="second attempt")
        shutil.copyfile(movie, data / "b.tif")
        wait_until(lambda: registry.added == ["a.tif", "b.tif"], what="the next file")
    assert len(set(peer.registrations[:2])) == 1, "the same request, under its id"
    assert registry.batches == [["a.tif"], ["b.tif"]]
    assert not registry.replaced


def test_a_scheduler_with_a_new_state_is_told_all_files_again(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    shutil.copyfile(movie, data / "a.tif")
    with Running(endpoints, data):

        def beaten_in() -> bool:
            peer.beat("one")
            return "a.tif" in registry.files and len(peer.events) > 20

        wait_until(beaten_in, what="first registration")
        registry.files.clear()
        wait_until(lambda: peer.beat("two") or "a.tif" in registry.files, what="second registration")
    assert registry.added == ["a.tif", "a.tif"]


def test_a_forgotten_file_that_is_there_or_comes_back_is_registered_anew(
    endpoints: Endpoints,
    registry: Registry,
    peer: Peer,
    data: Path,
    movie: Path,
    tmp_path: Path,
    wait_until: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that was deleted comes back as it was, with its size and time."""
    monkeypatch.setattr(service, "SETTINGS_INTERVAL_S", 0.1)
    for name in ("kept.tif", "there.tif", "away.tif"):
        shutil.copyfile(movie, data / name)
    with Running(endpoints, data):
        wait_until(lambda: len(registry.files) == 3, what="all files")
        (data / "away.tif").rename(tmp_path / "away.tif")
        wait_until(lambda: peer.told("file.vanished") == ["away.tif"], what="that it is gone")
        for name in ("there.tif", "away.tif"):
            registry.forget(name)
        wait_until(lambda: registry.batches[-1] == ["there.tif"], what="the one that is there")
        (tmp_path / "away.tif").rename(data / "away.tif")
        wait_until(lambda: registry.batches[-1] == ["away.tif"], what="the one that came back")
    assert sorted(registry.added) == ["away.tif", "away.tif", "kept.tif", "there.tif", "there.tif"]


def test_changed_patterns_take_effect_while_running(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    (data / "grid").mkdir()
    for name in ("a.tif", "b.raw", "grid/c.tif"):
        shutil.copyfile(movie, data / name)
    with Running(endpoints, data, watch=True):
        wait_until(lambda: [*registry.files] == ["a.tif"], what="a.tif")
        peer.set(patterns=["*.tif", "*.raw"], recursive=True)
        wait_until(lambda: sorted(registry.files) == ["a.tif", "b.raw", "grid/c.tif"], what="the others")
        shutil.copyfile(movie, data / "grid" / "d.tif")
        wait_until(lambda: "grid/d.tif" in registry.files, what="a later one in the sub-folder")
    assert peer.told("file.vanished") == []


def test_one_file_that_the_scheduler_refuses_does_not_hold_up_the_others(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    registry.refuse = {"m007.tif"}
    for number in range(20):
        shutil.copyfile(movie, data / f"m{number:03d}.tif")
    with Running(endpoints, data):
        wait_until(lambda: len(registry.files) == 19, what="the other 19")
        wait_until(lambda: peer.told("file.unreadable") == ["m007.tif"], what="event")
    assert "not that one" in peer.details("file.unreadable")[0]


def test_rubbish_at_its_subscriber_does_not_end_it(
    endpoints: Endpoints, registry: Registry, peer: Peer, data: Path, movie: Path, wait_until: Callable[..., None]
) -> None:
    with Running(endpoints, data):
        wait_until(lambda: "discoverer" in {envelope.source for envelope in peer.events}, what="its heartbeat")
        for topic, body in (("settings.changed", {"settings": 3}), ("service.heartbeat", {})):
            peer._to_publish.append(Envelope(topic, body, "x"))
        peer.publish("settings.changed", SettingsEvent({"import": {"patterns": []}}, 99, []))
        peer.publish("settings.changed", SettingsEvent({}, 99, []))
        shutil.copyfile(movie, data / "a.tif")
        wait_until(lambda: "a.tif" in registry.files, what="registration all the same")


def test_it_says_that_it_lives_and_that_it_ends(
    endpoints: Endpoints, peer: Peer, data: Path, wait_until: Callable[..., None]
) -> None:
    with Running(endpoints, data):
        wait_until(lambda: any(envelope.type == "service.heartbeat" for envelope in peer.events), what="heartbeat")
    wait_until(lambda: any(envelope.type == "service.stopping" for envelope in peer.events), what="stopping")
    bodies = [ServiceEvent.from_body(envelope.body) for envelope in peer.events if envelope.type.startswith("service.")]
    assert {(body.service, body.pid) for body in bodies} == {("discoverer", os.getpid())}


def test_a_full_batch_fits_a_frame() -> None:
    """2 000 files a message, paths as long as the batch's own limit lets through."""
    for length in (10, 200, 349, 351, 4000):
        incubation = Incubation(0.0)
        listing = Listing({f"{number:06d}".ljust(length, "漢"): (2**63, 2**62) for number in range(3000)})
        incubation.listed(listing, 0.0)
        for path in incubation.due(0.0, 5000):
            incubation.examined(path, Examined(listing.files[path]), 0.0)
        request = RegisterFiles(incubation.ready.batch())
        assert len(encode(Envelope(request.TYPE, request.to_body(), "discoverer"))) < 1_000_000
        assert request.files[0].path in listing.files
