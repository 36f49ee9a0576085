"""The shell around the supervisor, with a clock that the test turns and processes that it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from warpcore.cli.plan import ServiceSpec
from warpcore.cli.session import Session


class Scripted:
    """A process that ends when the test says so; TERM and KILL end it at once."""

    def __init__(self, command: Sequence[str], tell: Callable[[str], None]) -> None:
        self.command = list(command)
        self.tell = tell
        self.status: int | None = None
        self.last_line = ""

    def poll(self) -> int | None:
        """Exit status."""
        return self.status

    def terminate(self) -> None:
        """TERM."""
        self.status = 0

    def kill(self) -> None:
        """KILL."""
        self.status = -9


class Bench:
    """A session of scheduler, tracker and `more` services, and everything that it did."""

    def __init__(self, *more: str, unstartable: int = 0) -> None:
        self.now = 0.0
        self.said: list[tuple[str, str, bool]] = []
        self.started: list[Scripted] = []
        self.unstartable = unstartable
        specs = [ServiceSpec("scheduler", ("scheduler",), ("--paused",)), ServiceSpec("tracker", ("tracker",))]
        specs += [ServiceSpec(name, (name,)) for name in more]
        self.session = Session(
            specs, Path("logs"), lambda *said: self.said.append(said), self._spawn, clock=lambda: self.now
        )

    def _spawn(
        self, command: Sequence[str], environment: Mapping[str, str], log_file: Path, tell: Callable[[str], None]
    ) -> Scripted:
        if self.unstartable:
            self.unstartable -= 1
            raise OSError(12, "Cannot allocate memory")
        self.started.append(Scripted(command, tell))
        return self.started[-1]

    def step(self, seconds: float = 0.1) -> None:
        """Time passes."""
        self.now += seconds
        self.session.step()


def test_while_a_pool_ends_scheduler_and_discoverer_go_on() -> None:
    bench = Bench("discoverer", "pool-gpu")
    bench.session.begin()
    scheduler, tracker, discoverer, pool = bench.started
    pool.terminate = lambda: None  # type: ignore[method-assign] # it ends its jobs
    bench.session.end()
    bench.step()
    assert [one.status for one in (scheduler, tracker, discoverer, pool)] == [None, 0, None, None]
    pool.status = 0
    bench.step()
    bench.step()
    assert [one.status for one in (scheduler, discoverer)] == [0, 0]
    bench.step()
    assert bench.session.finished


def test_what_dies_is_started_again_without_what_held_for_the_beginning() -> None:
    bench = Bench()
    bench.session.begin()
    assert [process.command[-1] for process in bench.started] == ["--paused", "tracker"]
    bench.step(20)
    bench.started[0].status = -9
    bench.step()
    bench.step(1)
    assert len(bench.started) == 3
    assert bench.started[2].command[-1] == "scheduler"
    assert ("up", "scheduler ended (killed by signal 9); starting it again in 0.5 s", True) in bench.said


def test_output_is_passed_on_under_the_services_name() -> None:
    bench = Bench()
    bench.session.begin()
    bench.started[1].tell("written")
    bench.step()
    assert bench.said == [("tracker", "written", False)]


def test_a_process_that_cannot_be_started_is_tried_again() -> None:
    """Out of memory or process slots passes."""
    bench = Bench(unstartable=1)
    bench.session.begin()
    assert [process.command[-1] for process in bench.started] == ["tracker"]
    bench.step(1)
    assert bench.started[1].command[-1] == "--paused"
    assert any("cannot be started" in text for _, text, _ in bench.said)


def test_the_fault_that_ended_a_session_is_the_services_own_last_line() -> None:
    bench = Bench()
    bench.session.begin()
    bench.started[0].last_line = "warpcore: workers: cannot bind tcp://127.0.0.1:8080: the port is in use"
    bench.started[0].status = 78
    bench.step()
    bench.step()
    assert bench.session.finished
    assert bench.session.fault == "scheduler: workers: cannot bind tcp://127.0.0.1:8080: the port is in use"


def test_nothing_runs_after_kill() -> None:
    bench = Bench()
    bench.session.begin()
    bench.session.kill()
    assert [process.status for process in bench.started] == [-9, -9]
