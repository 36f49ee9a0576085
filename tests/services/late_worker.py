"""A worker process that writes half of a movie's outputs, waits for a line on its input, then writes the rest.

    python -m tests.services.late_worker CONTROLLER_PORT PROCESSING

It uses the project's own staging and socket, and tells on its output how far it is.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.services.reports import whole
from warpcore.bus import messages as wire
from warpcore.bus.dealer import Dealer
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.schema import read_message
from warpcore.bus.vocabulary import WorkerState
from warpcore.services.steps.ctf import FIT, SPECTRUM
from warpcore.services.worker.seeing import sees
from warpcore.services.worker.staging import Staging

NAME = "late"


def task_of(dealer: Dealer) -> wire.AssignTask:
    """Register, and wait for a task."""
    register(dealer)
    while True:
        for envelope in dealer.receive():
            message = read_message(envelope.type, envelope.body)
            if isinstance(message, wire.UnknownWorker):  # it was silent for too long, on a busy machine
                register(dealer)
            if isinstance(message, wire.LookAtFolders):
                dealer.send(sees(NAME, message))
            if isinstance(message, wire.AssignTask):
                return message
        dealer.send(wire.Heartbeat(NAME, WorkerState.IDLE))
        time.sleep(0.05)


def register(dealer: Dealer) -> None:
    dealer.send(wire.RegisterWorker(NAME, "1", "host", 1, "cpu", 0, {}))
    dealer.send(wire.PullTasks(NAME, 1))


def main() -> None:
    """One task."""
    dealer = Dealer(Endpoints("127.0.0.1", controller_port=int(sys.argv[1])).workers, NAME.encode(), NAME)
    task = task_of(dealer)
    staging = Staging(Path(sys.argv[2]), str(task.lease), lambda output: output.path(task.name))
    staging.place("ctf", FIT).write_text("late")
    print("half", flush=True)
    sys.stdin.readline()
    try:
        staging.place("ctf", SPECTRUM).write_text("late")
        staging.settle()
        told = "written"
    except OSError as error:
        told = f"{type(error).__name__}"
    outputs: dict[str, dict[str, int | None]] = {"ctf": {FIT.pattern: 4, SPECTRUM.pattern: 4}}
    dealer.send(wire.TaskFinished(NAME, task.lease, task.run, whole({step: {} for step in task.run}), outputs))
    print(told, flush=True)
    sys.stdin.readline()
    dealer.close()


if __name__ == "__main__":
    main()
