"""A scheduler with keys: strangers and peers with another's key get nothing, take nothing and spoil nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from tests.services.scheduler_site import Site, WorkerSide, ask, files, status
from warpcore.bus import client as asking
from warpcore.bus import connecting
from warpcore.bus import messages as wire
from warpcore.bus.client import NoAnswerError, RefusedError, RequestClient
from warpcore.bus.dealer import Dealer
from warpcore.bus.envelope import Envelope, encode
from warpcore.bus.events import Subscriber
from warpcore.bus.keys import ClientKey, Holder
from warpcore.bus.vocabulary import FailureKind, MovieStatus, Role, ServiceName, WorkerState
from warpcore.services.access import known as knowing
from warpcore.services.access.keys import add, init, read_key, revoke
from warpcore.services.access.places import Access

WaitUntil = Callable[..., None]


class Keyed:
    """A site whose scheduler runs with keys."""

    def __init__(self, site: Site, access: Access, operator: RequestClient) -> None:
        self.site, self.access, self.operator = site, access, operator

    def key(self, name: str, role: Role, service: ServiceName | None = None) -> ClientKey:
        """A new key, as another host would read it."""
        return read_key(add(self.access, Holder(name, role, service)))

    def worker(self, name: str, key: ClientKey | None, instance: str = "1") -> WorkerSide:
        return WorkerSide(self.site, name, instance, key)

    def registered(self) -> dict[str, wire.Worker]:
        return {one.id: one for one in ask(self.operator, wire.GetWorkers()).workers}

    def movie(self, name: str) -> wire.Movie:
        found: wire.Movie = ask(self.operator, wire.GetItem(name)).movie
        return found

    def find(self, *paths: str) -> None:
        """Have movies registered, by a discoverer."""
        key = self.key(f"finder-{len(paths)}", Role.SERVICE, ServiceName.DISCOVERER)
        with RequestClient(self.site.endpoints.control, "discoverer", key=key) as discoverer:
            discoverer.request(files(*paths))


@pytest.fixture
def keyed(tmp_path: Path, free_ports: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyed]:
    monkeypatch.setattr(knowing, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(connecting, "TRY_AGAIN_S", 0.1)
    monkeypatch.setattr(asking, "MOST_REFUSALS", 50)  # of one that was added a moment ago, on a busy machine
    site, access = Site(tmp_path, free_ports(4)), Access(tmp_path / "access")
    init(access)
    operator = read_key(add(access, Holder("ada", Role.OPERATOR)))
    with site.running(key=operator, access=access.folder) as client:
        yield Keyed(site, access, client)


@pytest.fixture
def honest(keyed: Keyed, wait_until: WaitUntil) -> Iterator[tuple[WorkerSide, wire.AssignTask]]:
    """The worker gpu1 with a task."""
    key = keyed.key("gpu1", Role.WORKER)
    keyed.find("a.tif")
    worker = keyed.worker("gpu1", key)
    with closing(worker.dealer):
        wait_until(lambda: registers(worker), what="registration")
        yield worker, worker.take(wait_until)


@pytest.mark.parametrize("who", ["nobody", "unknown", "observer", "other worker"])
def test_a_stranger_gets_no_task_reports_nothing_and_spoils_no_worker(
    keyed: Keyed, honest: tuple[WorkerSide, wire.AssignTask], who: str, wait_until: WaitUntil
) -> None:
    worker, task = honest
    keyed.find("b.tif", "c.tif")
    other = Access(keyed.access.folder.with_name("other session"))
    key = {
        "nobody": lambda: None,
        "unknown": lambda: read_key(add(other, Holder("gpu1", Role.WORKER))),
        "observer": lambda: keyed.key("eve", Role.OBSERVER),
        "other worker": lambda: keyed.key("gpu2", Role.WORKER),
    }[who]()
    said: list[Any] = [
        wire.RegisterWorker("gpu1", "2", "host", 1, "cpu", 0, {}, replaces="1"),
        wire.RegisterWorker("gpu1", "1", "host", 1, "cpu", 0, {}),
        wire.PullTasks("gpu1", 2),
        wire.TaskFinished("gpu1", task.lease, task.run, {}, {}),
        wire.TaskFailed("gpu1", task.lease, FailureKind.INPUT, "motion", "no"),
        wire.ComputeDied("gpu1", [task.lease], task.lease, FailureKind.BAD_GPU, "bad GPU"),
        wire.Heartbeat("gpu1", WorkerState.IDLE),
        wire.Goodbye("gpu1"),
    ]
    stranger = keyed.worker("gpu1", key, "2")
    with closing(stranger.dealer):
        for message in said:
            stranger.dealer.send(message)
        wait_until(lambda: stranger.got(wire.Error) or _refused(stranger), what="refusal")
        assert stranger.got(wire.AssignTask) == []
    found = keyed.registered()
    assert list(found) == ["gpu1"]
    assert found["gpu1"].state == WorkerState.BUSY
    assert keyed.movie("a").status in (MovieStatus.QUEUED, MovieStatus.PROCESSING)
    worker.finish(task)
    wait_until(lambda: worker.got(wire.Ok), what="answer to the honest report")


def registers(worker: WorkerSide) -> bool:
    """Whether it is registered; it asks for that."""
    worker.register()
    return bool(worker.got(wire.WorkerRegistered))


def _refused(stranger: WorkerSide) -> str:
    return stranger.dealer._connection.problem


def test_a_stranger_is_no_worker_of_a_new_name_either(keyed: Keyed, wait_until: WaitUntil) -> None:
    stranger = keyed.worker("mine", None)
    with closing(stranger.dealer):
        stranger.register()
        wait_until(lambda: stranger.got(wire.Error) or _refused(stranger), what="refusal")
        assert keyed.registered() == {}


def test_a_key_is_for_several_workers_of_its_name_at_a_time(keyed: Keyed, wait_until: WaitUntil) -> None:
    key = keyed.key("gpu1", Role.WORKER)
    with ExitStack() as stack:
        for name in ("gpu1/1", "gpu1/2", "gpu1/node7/cuda:0"):
            worker = keyed.worker(name, key)
            stack.enter_context(closing(worker.dealer))
            wait_until(
                lambda worker=worker: worker.register() or worker.got(wire.WorkerRegistered), what="registration"
            )
        assert set(keyed.registered()) == {"gpu1/1", "gpu1/2", "gpu1/node7/cuda:0"}


def test_a_worker_whose_key_is_revoked_reports_nothing_more_and_gets_no_task(
    keyed: Keyed, honest: tuple[WorkerSide, wire.AssignTask], wait_until: WaitUntil
) -> None:
    worker, task = honest
    revoke(keyed.access, "gpu1")

    def refused() -> bool:
        worker.dealer.send(wire.Goodbye("someone"))
        return any("revoked" in one.detail for one in worker.got(wire.Error))

    wait_until(refused, what="refusal of a revoked key")
    worker.finish(task)
    keyed.find("b.tif", "c.tif")
    other = keyed.worker("gpu2", keyed.key("gpu2", Role.WORKER))
    with closing(other.dealer):
        wait_until(lambda: registers(other), what="registration")
        other.dealer.send(wire.PullTasks("gpu2", 1))
        wait_until(lambda: other.got(wire.AssignTask), what="a task for the other worker")
    assert worker.got(wire.AssignTask) == [task]
    assert keyed.movie("a").status != MovieStatus.PROCESSED


def test_an_observer_reads_and_listens_and_changes_nothing(keyed: Keyed, wait_until: WaitUntil) -> None:
    key = keyed.key("eve", Role.OBSERVER)
    wait_until(lambda: status(keyed.operator), what="answer")
    control = keyed.site.endpoints.control
    with RequestClient(control, "eve", key=key) as eve, Subscriber(keyed.site.endpoints.events_out, key=key) as events:
        assert status(eve).is_processing
        for change in (wire.PauseProcessing(), wire.PatchSettings({"ctf.cs": 2.0}), files("x.tif")):
            with pytest.raises(RefusedError, match="does not allow"):
                eve.request(change)
        assert status(keyed.operator).is_processing
        wait_until(lambda: events.receive(0.05), what="an event")


def test_the_audit_log_names_whose_key_it_was(keyed: Keyed, wait_until: WaitUntil) -> None:
    ask(keyed.operator, wire.PatchSettings({"ctf": {"cs": 2.0}}, by="Bob"))
    endpoint = keyed.site.endpoints.control
    with RequestClient(endpoint, "cli", key=keyed.key("eve", Role.OBSERVER)) as observer:
        for message in (wire.PauseProcessing(), wire.RegisterFiles([])):
            with pytest.raises(RefusedError):
                observer.request(message)
    api = keyed.key("api", Role.SERVICE, ServiceName.API)
    with RequestClient(endpoint, "api", key=api) as client:
        ask(client, wire.GetHealth())  # the key is known now
    with closing(Dealer(endpoint, b"api", "api", key=api)) as dealer:
        dealer.socket.send(encode(Envelope("processing.pause", {}, "api", user="carol")))
        wait_until(lambda: status(keyed.operator).paused_by, what="the pause")
    told = ask(keyed.operator, wire.GetAudit()).entries
    assert [(one.user, one.by, one.via, one.action, one.outcome) for one in told] == [
        ("carol", "", "api", "processing.pause", "done"),
        ("eve", "", "cli", "processing.pause", "refused"),
        ("ada", "Bob", "test", "settings.patch", "done"),
    ]
    assert told[1].detail == "the key of eve (observer) does not allow processing.pause"


def test_a_client_without_a_key_hears_that_one_is_wanted(keyed: Keyed) -> None:
    with (
        RequestClient(keyed.site.endpoints.control, "nobody", timeout_s=1.0, attempts=2) as nobody,
        pytest.raises(NoAnswerError, match="wants a key"),
    ):
        nobody.request(wire.PauseProcessing())
    assert status(keyed.operator).is_processing
