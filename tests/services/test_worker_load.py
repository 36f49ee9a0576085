"""What is measured of a worker travels whole to the registry, its events and REST, whatever its fields are."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.services import loads
from warpcore.bus import messages as m
from warpcore.bus.messages import Load
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import WorkerState
from warpcore.services.api.views import WorkerView, camel
from warpcore.services.scheduler.core.effects import Publish, Reply
from warpcore.services.scheduler.core.machine import handle
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import FromControl, FromWorker, Started, Stimulus
from warpcore.services.session.settings import Settings
from warpcore.services.worker.load import LoadMeter, card_of

EVERYTHING = loads.everything()


def test_every_value_of_a_load_is_in_registry_events_and_rest() -> None:
    state = State(Settings(), data_directory="/data", processing_directory="/processing", epoch="e")

    def do(stimulus: Stimulus) -> list[Any]:
        return handle(state, stimulus, 1.0, wall=1.0)

    def say(message: Message) -> list[Any]:
        return do(
            FromWorker(b"w", m.Heartbeat.from_body(message.to_body()) if type(message) is m.Heartbeat else message)
        )

    do(Started(""))
    say(m.RegisterWorker("w", "i", "host", 1, "cpu", 1, {}))
    effects = say(m.Heartbeat("w", WorkerState.IDLE, load=EVERYTHING))
    (event,) = [one.body for one in effects if isinstance(one, Publish) and one.topic == "worker.heartbeat"]
    assert event["worker"]["load"] == EVERYTHING.to_body()
    (reply,) = [one.message for one in do(FromControl(m.GetWorkers())) if isinstance(one, Reply)]
    assert isinstance(reply, m.Workers)
    (worker,) = reply.workers
    assert worker.load == EVERYTHING
    shown = msgspec.to_builtins(WorkerView.of(worker).load)
    assert shown == {camel(name): value for name, value in EVERYTHING.to_body().items()}


def test_the_memory_of_a_process_is_measured_and_a_dead_one_has_none() -> None:
    import os

    meter = LoadMeter(card_of({"CUDA_VISIBLE_DEVICES": ""}))
    gone = 2**22 + 1
    own, twice = (meter.measure([os.getpid(), *more]).host_memory_mb for more in ([gone], [os.getpid()]))
    assert own is not None
    assert twice is not None
    assert 1 < own < 100_000
    assert 1.5 * own < twice < 2.5 * own
    assert meter.measure([]) == meter.measure([gone]) == Load()
