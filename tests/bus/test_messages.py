"""The wire types: words that are checked, texts that say what was wrong, and what each request says of itself."""

from __future__ import annotations

import json
import typing
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from tests.bus.bodies import known_then
from warpcore.bus import messages as wire
from warpcore.bus.envelope import WireError
from warpcore.bus.events import check_event
from warpcore.bus.messages import EVENT_BODIES, Load, Movie
from warpcore.bus.schema import REGISTRY, Message, Port, read_message
from warpcore.bus.vocabulary import MovieStatus, Selection
from warpcore.services.worker import line

OLD_EVENTS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "events_of_version_1.json").read_text())
"""One body a topic, as written by the version whose words were plain text."""
LINE = (*typing.get_args(line.Command), *typing.get_args(line.Report))
TASK: dict[str, Any] = {
    "lease": 1, "purpose": "process", "name": "a", "path": "a.tif", "size": 1, "mtime_ns": 1, "run": [], "wanted": {},
    "settings": {}, "results": {}, "data_directory": "/d", "processing_directory": "/p",
}  # fmt: skip

MOVIE: dict[str, Any] = {"id": 1, "name": "a", "path": "a.tif", "size": 1, "mtime_ns": 1, "status": "processed"}
SNAPSHOT: dict[str, Any] = {
    "seq": 1, "epoch": "e", "movies": [MOVIE], "next_after": None,
    "settings": {}, "settings_revision": 1, "paused": False,
}  # fmt: skip
JOB: dict[str, Any] = {
    "job": "j", "kind": "particles", "state": "done", "total": 1, "done": 1, "failed": 0, "options": {}
}  # fmt: skip


@pytest.mark.parametrize(
    ("type_name", "body", "said"),
    [
        ("item.get", {"name": 5}, ".name: expected str, got int"),
        ("item.get", {}, ": field 'name' is missing"),
        ("items.get", {"page": True}, ".page: expected int, got bool"),
        ("items.get", {"page": 1.0}, ".page: expected int, got float"),
        ("files.register", {"files": [{"path": "a", "size": 1}]}, ".files[0]: field 'mtime_ns' is missing"),
        ("files.register", {"files": {}}, ".files: expected array, got object"),
        ("summary", {"counts": {"a": "x"}}, ".counts[...]: expected int, got str"),
        ("items.get", {"status": "x"}, ".status: 'x' is none of unprocessed, outdated, queued, processing, "),
        ("item.select", {"name": "a", "selection": "x"}, ".selection: 'x' is none of auto, include, exclude"),
        ("export.job", {**JOB, "kind": "x"}, ".kind: 'x' is none of micrographs, particles"),
        ("exports.get", {"state": "x"}, ".state: 'x' is none of running, collecting, done, cancelled, failed"),
        ("worker.heartbeat", {"worker": "w", "state": "x"}, ".state: 'x' is none of starting, idle, busy"),
        ("error", {"code": "x", "detail": ""}, ".code: 'x' is none of bad_message, unknown_type, not_found"),
        ("task.failed", {"worker": "w", "lease": 1, "kind": "x"}, ".kind: 'x' is none of input, resource"),
        ("task.assign", {**TASK, "purpose": ""}, ".purpose: "),
        ("task.assign", {**TASK, "purpose": "processing"}, ".purpose: "),
        ("task.assign", {**TASK, "purpose": "particles"}, ".purpose: "),
        ("snapshot", {**SNAPSHOT, "movies": [MOVIE, {**MOVIE, "status": "x"}]}, ".movies[1].status: 'x' is none of"),
        ("item", {"movie": {**MOVIE, "failure": {"kind": "x - at `$.y`"}}}, ".movie.failure.kind: 'x - at"),
    ],
)
def test_what_is_wrong_is_named_with_its_field_and_what_is_allowed(
    type_name: str, body: dict[str, Any], said: str
) -> None:
    with pytest.raises(WireError) as refused:
        read_message(type_name, body)
    assert str(refused.value).startswith(type_name + said)


@pytest.mark.parametrize("purpose", ["process", "micrographs-1", "job-20"])
def test_a_task_is_for_the_movie_or_for_an_export_job(purpose: str) -> None:
    task = read_message("task.assign", {**TASK, "purpose": purpose})
    assert isinstance(task, wire.AssignTask)
    assert task.purpose == purpose


def test_a_type_that_is_not_known_is_named() -> None:
    with pytest.raises(WireError, match=r"unknown message type 'later\.type'"):
        read_message("later.type", {})


def test_words_arrive_as_words_and_leave_as_text() -> None:
    movie = Movie.from_body({**MOVIE, "later": 1})
    assert movie.status is MovieStatus.PROCESSED
    assert movie.selection is Selection.AUTO
    body = movie.to_body()
    assert body == {**MOVIE, **body}
    assert json.loads(json.dumps(body)) == body
    assert Movie.from_body(body) == movie


def test_numbers_without_a_fraction_are_taken_where_a_fraction_may_be() -> None:
    registered = wire.WorkerRegistered.from_body({"worker": "w", "heartbeat_s": 2, "leases": []})
    assert isinstance(registered.heartbeat_s, float)


@pytest.mark.parametrize("topic", sorted(OLD_EVENTS))
def test_events_of_the_version_before_can_still_be_read(topic: str) -> None:
    check_event(topic, OLD_EVENTS[topic])
    old = OLD_EVENTS[topic]
    assert known_then(EVENT_BODIES[topic].from_body(old).to_body(), old) == old


def test_values_that_are_not_known_are_left_out_of_a_load() -> None:
    assert Load(gpu_memory_mb=5).to_body() == {"gpu_memory_mb": 5}
    assert Load(host_memory_mb=1, gpu_memory_mb=5).updated(Load(host_memory_mb=2)) == Load(2, 5)


def test_each_type_is_a_request_an_answer_or_a_word_of_the_scheduler() -> None:
    requests = {cls for cls in REGISTRY.values() if cls.PORT is not None}
    answers = {answer for cls in requests for answer in cls.ANSWERS} | {wire.Error}
    from_scheduler = {wire.UnknownWorker, wire.AssignTask, wire.CancelTask, wire.DrainWorker, wire.LookAtFolders}
    assert requests | answers | from_scheduler == set(REGISTRY.values())
    assert not requests & answers
    one_way = {cls for cls in requests if not cls.ANSWERS}
    assert one_way == {wire.Heartbeat, wire.PullTasks, wire.WorkerLog, wire.TaskProgress, wire.WorkerSees}
    assert (wire.FilesRegistered,) == wire.RegisterFiles.ANSWERS
    assert (wire.RegisterFiles.PORT, wire.TaskFinished.PORT) == (Port.CONTROL, Port.WORKER)


def test_no_word_of_the_vocabulary_travels_as_mere_text() -> None:
    """Fields with these names hold words; a new one must not be declared as text again."""
    words = {"status", "selection", "state", "code", "kind", "previous"}
    for cls in {*REGISTRY.values(), *EVENT_BODIES.values(), wire.Failure, Movie, wire.Worker, *LINE}:
        for name, hint in typing.get_type_hints(cls).items():
            if name in words and name in cls.__struct_fields__:
                assert _is_enum(hint), f"{cls.__name__}.{name}"


def _is_enum(hint: Any) -> bool:
    choices = [one for one in (typing.get_args(hint) or (hint,)) if one is not type(None)]
    return all(isinstance(one, type) and issubclass(one, Enum) for one in choices)


def test_messages_cannot_be_changed() -> None:
    item: Message = wire.GetItem("a")
    with pytest.raises(AttributeError):
        item.name = "b"  # type: ignore[attr-defined]
