"""The discoverer and the tracker as parts: the first one's own shell, a small shell around the second one's state."""

from __future__ import annotations

from collections.abc import Iterable

from tests.simulation.clock import Simulator
from tests.simulation.edges import ENDPOINTS
from tests.simulation.hosts import Host
from tests.simulation.network import Dealer, Ports, Subscriber
from tests.simulation.part import Part
from warpcore.bus.follower import ANSWER_TIMEOUT_S, QUIET_S, REFUSED_PAUSE_S, FollowerState
from warpcore.bus.messages import Error, FoundFile, GetProcessing, ProcessingStatus
from warpcore.bus.requester import Patience, Requester, read_answer
from warpcore.bus.vocabulary import StoragePlace
from warpcore.services.discoverer import service
from warpcore.services.discoverer.finding import Finder
from warpcore.services.discoverer.incubation import Incubation
from warpcore.services.session.tables import PARTICLES
from warpcore.services.tracker.service import LOOK_EVERY_S, RETRY_S
from warpcore.services.tracker.state import TrackerState
from warpcore.services.tracker.writing import Files


class WatchedIncubation(Incubation):
    """Remembers, over all processes, what the scheduler has acknowledged."""

    def __init__(self, registered: set[str]) -> None:
        super().__init__()
        self._registered = registered

    def acknowledged(self, files: Iterable[FoundFile]) -> None:
        """The scheduler has stored these."""
        files = list(files)
        self._registered.update(file.path for file in files)
        super().acknowledged(files)


class Discoverer(Part):
    """The discoverer's shell and decisions; its looks at files end when the file system answers."""

    def __init__(self, simulator: Simulator, host: Host) -> None:
        super().__init__(simulator, host, "discoverer")
        self.registered: set[str] = set()

    def begin(self) -> None:
        """A discoverer that knows nothing yet."""
        directory = self.host.path("/data")
        self.incubation = WatchedIncubation(self.registered)
        finder = Finder(
            directory,  # type: ignore[arg-type]
            self.incubation,
            use_watcher=False,
            scan_interval_s=2.0,
            stopped=lambda: False,
        )
        self._shell = service._Shell(ENDPOINTS, directory, self.incubation, finder)  # type: ignore[arg-type]

    def round(self) -> None:
        """One round of its shell."""
        self._shell.round(self.simulator.now)


class Tracker(Part):
    """Follows the scheduler, and writes the summary files. Selections stay out of the XML files here."""

    def __init__(self, simulator: Simulator, host: Host, ports: Ports) -> None:
        super().__init__(simulator, host, "tracker")
        self._ports = ports

    def begin(self) -> None:
        """A tracker that knows nothing yet."""
        now = self.simulator.now
        self.state = TrackerState("/processing", max_delay_s=4.0)
        self.follower = FollowerState()
        self._requester = Requester(self.chance.random)
        self._dealer = Dealer(self, self._ports.control, f"tracker-{self.starts}".encode(), "tracker")
        self._events = Subscriber(self, self._ports, ("",))
        self._heard = self._ask_again_at = now
        self._files = Files(self.host.path("/processing"))  # type: ignore[arg-type]
        self._writing, self._look_at = False, now + LOOK_EVERY_S
        self._answered_resets = 0

    def round(self) -> None:
        """Hear, ask, write."""
        now = self.simulator.now
        self._hear(now)
        self._ask(now)
        self.state.selections.clear()
        if not self._writing and now >= self._look_at:
            self._look_at, self._writing = now + LOOK_EVERY_S, True
            self.host.mounts[StoragePlace.PROCESSING].answer(self.bound(self._look))
        due = [] if self._writing else [name for name in self.state.due(now) if name != PARTICLES]
        if due:
            self._writing = True
            self.state.begun(due[0])
            text = self.state.text(due[0])
            self.host.mounts[StoragePlace.PROCESSING].answer(self.bound(lambda: self._write(due[0], text)))

    def _hear(self, now: float) -> None:
        items = []
        for envelope in self._dealer.receive():
            question = self._requester.answered(envelope.reply_to)
            if question is None:
                continue
            self._heard = now
            message = read_answer(envelope, "the scheduler")
            if isinstance(message, Error):
                self._ask_again_at = now + REFUSED_PAUSE_S
            elif isinstance(message, ProcessingStatus):
                self.state.set_directories(message.data_directory, message.processing_directory, now)
                self._answered_resets = self.state.resets
            else:
                items += self.follower.answer(message)
        for envelope in self._events.drain():
            self._heard = now
            items += self.follower.event(envelope)
        for item in items:
            self.state.apply(item, now)

    def _ask(self, now: float) -> None:
        if not self._requester.questions and now >= self._ask_again_at:
            if now - self._heard > QUIET_S:
                self.follower.ask()
                self._heard = now
            request = self.follower.asking()
            if request is None and self._answered_resets != self.state.resets:
                request = GetProcessing()
            if request is not None:
                self._requester.ask(request, Patience(ANSWER_TIMEOUT_S), now)
        for question in self._requester.due(now):
            self._dealer.send(question.message, id=question.id)

    def _look(self) -> None:
        self._writing = False
        self.state.changed(self._files.changed(), self.simulator.now)

    def _write(self, name: str, text: str) -> None:
        """Write a file that is due; one that cannot be written is tried again."""
        self.step()
        self._writing = False
        try:
            self._files.write(name, text)
        except OSError:
            self.state.failed(name, self.simulator.now, RETRY_S)
        else:
            self.state.written(name, self.simulator.now)
            self.wake()
