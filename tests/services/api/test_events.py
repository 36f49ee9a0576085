"""Live events over HTTP: every change once and in order, whatever is killed meanwhile."""

from __future__ import annotations

import itertools
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from tests.services.api.event_reader import EventReader, Sent, parsed
from tests.services.api.rest_session import Api, problem
from warpcore.bus import messages as m
from warpcore.bus.client import NoAnswerError
from warpcore.bus.dealer import Dealer

WaitUntil = Callable[..., None]


@contextmanager
def changing(api: Api) -> Iterator[None]:
    """The user changes their mind about a movie without pause, also while nobody answers."""
    stop = threading.Event()
    client = api.another_client()

    def run() -> None:
        for selection in itertools.cycle(("include", "exclude")):
            if stop.wait(0.002):
                return
            try:
                client.request(m.SelectItem("a", selection))
            except NoAnswerError:
                continue

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        client.close()


def logged(api: Api, since: int) -> list[tuple[int, str]]:
    """Number and topic of the changes after `since` as the scheduler has stored them."""
    rows: list[tuple[int, str]] = []
    while True:
        answer = api.control.request(m.GetChanges(rows[-1][0] if rows else since))
        assert isinstance(answer, m.Changes)
        assert not answer.trimmed
        if not answer.changes:
            return rows
        rows += [(change.seq, change.topic) for change in answer.changes]


def told(reader: EventReader) -> list[tuple[int, str]]:
    """Number and topic of the changes that a reader was told."""
    return [(one.seq, one.topic) for one in reader.sent if one.seq and one.topic != "hello"]


def hello_of(reader: EventReader) -> Sent:
    """The first hello; before it a reader may be told that the scheduler is away."""
    return next(one for one in reader.sent if one.topic == "hello")


def seq_at(reader: EventReader) -> int:
    """Where the state stood when the reader began."""
    seq: int = hello_of(reader).data["seq"]
    return seq


def url(api: Api, query: str = "") -> str:
    return f"http://127.0.0.1:{api.rest_port}/api/events{query}"


def test_a_reader_is_told_what_a_user_changes(api: Api, wait_until: WaitUntil) -> None:
    with EventReader(url(api, "?topics=movie")) as reader:
        wait_until(lambda: reader.topics("hello"))
        hello = hello_of(reader)
        assert (hello.topic, hello.data["resumed"]) == ("hello", False)
        assert hello.data["versions"]["warpcore"]
        api.http.put("/api/items/grid1/a/selection", json={"selection": "exclude"}).raise_for_status()
        wait_until(lambda: reader.topics("movie."))
        (event,) = [one for one in reader.sent if one.topic.startswith("movie.")]
        assert event.data["movie"]["name"] == "grid1/a"
        assert event.data["movie"]["selection"] == "exclude"
        assert event.data["movie"]["results"]["ctf"]["defocusUm"] == 1.25
        assert event.id == f"{hello.data['epoch']}:{hello.seq + 1}"


def test_settings_keep_their_names_in_events(api: Api, wait_until: WaitUntil) -> None:
    with EventReader(url(api, "?topics=settings")) as reader:
        wait_until(lambda: reader.topics("hello"))
        api.http.patch("/api/settings", json={"filter": {"motion_max": 4.5}}).raise_for_status()
        wait_until(lambda: reader.topics("settings"))
        event = reader.sent[-1]
        assert event.data["changed"] == ["filter.motion_max"]
        assert event.data["settings"]["filter"]["motion_max"] == 4.5


def test_topics_that_do_not_exist_are_named(api: Api) -> None:
    document = problem(api.http.get("/api/events?topics=movie,nonsense"), 400)
    assert document["errors"][0] == {**document["errors"][0], "name": "topics", "value": "nonsense"}
    problem(api.http.get("/api/events?topic=movie"), 400)


def test_every_change_comes_once_and_in_order_while_the_scheduler_is_killed(api: Api, wait_until: WaitUntil) -> None:
    with EventReader(url(api)) as reader:
        wait_until(lambda: reader.topics("hello"))
        with changing(api):
            wait_until(lambda: len(told(reader)) > 50)
            api.scheduler.send_signal(signal.SIGKILL)
            api.scheduler.wait()
            before = len(told(reader))
            api.restart_scheduler()
            wait_until(lambda: len(told(reader)) > before + 50, 30)
        stored = logged(api, seq_at(reader))
        wait_until(lambda: len(told(reader)) >= len(stored))
        assert told(reader) == stored
        assert reader.connections == 1, "the stream goes on over a restart of the scheduler"


def test_every_change_comes_once_and_in_order_while_the_api_is_killed(api: Api, wait_until: WaitUntil) -> None:
    with EventReader(url(api)) as reader:
        wait_until(lambda: reader.topics("hello"))
        with changing(api):
            wait_until(lambda: len(told(reader)) > 50)
            api.server.send_signal(signal.SIGKILL)
            api.server.wait()
            before = len(told(reader))
            api.restart_server()
            wait_until(lambda: len(told(reader)) > before + 50, 30)
        stored = logged(api, seq_at(reader))
        wait_until(lambda: len(told(reader)) >= len(stored))
        assert told(reader) == stored
        assert [one.data["resumed"] for one in reader.sent if one.topic == "hello"] == [False, True]


def test_with_several_processes_each_reader_is_told_the_same(api: Api, wait_until: WaitUntil) -> None:
    api.server.terminate()
    api.server.wait(10)
    api.restart_server("--processes", "2")
    api.wait()
    readers = [EventReader(url(api)) for _ in range(6)]
    try:
        wait_until(lambda: all(reader.topics("hello") for reader in readers))
        with changing(api):
            wait_until(lambda: all(len(told(reader)) > 50 for reader in readers))
        head = logged(api, seq_at(readers[0]))[-1][0]
        wait_until(lambda: all(told(reader)[-1][0] == head for reader in readers))
        for reader in readers:
            assert told(reader) == logged(api, seq_at(reader))
    finally:
        for reader in readers:
            reader.close()


def test_a_slow_reader_is_sent_away_and_resumes(api: Api, wait_until: WaitUntil) -> None:
    slow = socket.create_connection(("127.0.0.1", api.rest_port))
    slow.sendall(b"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    lines = [{"level": "info", "text": "x" * 2000, "ts": 1.0} for _ in range(400)]
    with EventReader(url(api)) as quick, Dealer(api.endpoints.workers, b"loud", "loud") as loud:
        wait_until(lambda: quick.topics("hello"))
        loud.send(m.RegisterWorker("loud", "i1", "host", 1, "cpu", 1024, {}))
        for count in range(1, 41):
            loud.send(m.WorkerLog("loud", lines))
            # Each message is told by several events, as many lines as fit one.
            wait_until(lambda count=count: len(quick.topics("worker.log")) >= 10 * count)
        api.http.put("/api/items/bad/selection", json={"selection": "include"}).raise_for_status()
        slow.settimeout(10)
        got = b""
        while not got.endswith(b"0\r\n\r\n") and (piece := slow.recv(1 << 20)):
            got += piece
        slow.close()
        assert got.endswith(b"0\r\n\r\n"), "the stream is ended in order"
        assert len(got) < 16_000_000, "it was cut off, not buffered"
        last = [one.id for one in parsed(got.decode().replace("\r", "").split("\n")) if one.id][-1]
        with EventReader(url(api), last) as again:
            wait_until(lambda: again.topics("hello"))
            assert hello_of(again).data["resumed"] is True
            missed = [one for one in quick.seqs() if one > hello_of(again).data["seq"]]
            assert missed
            wait_until(lambda: len(again.seqs()) >= len(missed))
            assert again.seqs()[: len(missed)] == missed


def test_streams_end_in_order_when_the_server_ends(api: Api) -> None:
    """A stream that the server had to cut would raise RemoteProtocolError here."""
    with httpx.Client(timeout=10) as client, client.stream("GET", url(api)) as response:
        pieces = response.iter_raw()
        assert next(pieces)
        api.server.terminate()
        assert (b"".join(pieces) or b"\n\n").endswith(b"\n\n")
    assert api.server.wait(10) == 0
