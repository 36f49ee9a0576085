"""A user, who waits for each answer, and remembers what was acknowledged."""

from __future__ import annotations

from collections import deque
from typing import Any

from tests.simulation.clock import Simulator
from tests.simulation.hosts import Host
from tests.simulation.network import Dealer, Ports
from tests.simulation.part import Part
from warpcore.bus import messages as wire
from warpcore.bus.requester import Patience, Requester, read_answer
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import ErrorCode, Order, Selection

PATCHES: tuple[dict[str, Any], ...] = (
    {"ctf": {"range_max": 5.0}},
    {"ctf": {"range_max": 4.0}},
    {"motion": {"b_factor": -100.0}},
    {"motion": {"b_factor": -500.0}},
    {"filter": {"resolution_max": 4.0}},
    {"filter": {"resolution_max": 9.0}},
    {"export": {"float16": True}},
    {"export": {"float16": False}},
)
PATIENCE = Patience(timeout_s=3.0, attempts=6)
AGAIN_S = 2.0
"""What could not be stored is asked again so much later."""

Acts = tuple[tuple[str, Any], ...]
"""What a request sets, as names with values: after its answer each must hold until the next request."""


class User(Part):
    """Asks one thing after another. `settled` holds what was acknowledged last."""

    def __init__(self, simulator: Simulator, host: Host, ports: Ports) -> None:
        super().__init__(simulator, host, "user")
        self._ports = ports
        self._wishes: deque[tuple[Message, Acts]] = deque()
        """What is asked now, and what comes after it."""
        self.settled: dict[str, Any] = {}

    def begin(self) -> None:
        """Sit down."""
        self._requester = Requester(self.chance.random)
        self._dealer = Dealer(self, self._ports.control, b"user", "user")
        self._not_before = self.simulator.now

    def patch(self, number: int) -> None:
        """Change a setting."""
        patch = PATCHES[number % len(PATCHES)]
        acts = tuple(
            (f"{section}.{name}", value) for section, values in patch.items() for name, value in values.items()
        )
        self._wish(wire.PatchSettings(patch), acts)

    def select(self, movie: str, selection: Selection) -> None:
        """Choose for a movie."""
        self._wish(wire.SelectItem(movie, selection), ((f"selection of {movie}", selection),))

    def pause(self, paused: bool) -> None:
        """Pause, or go on."""
        self._wish(wire.PauseProcessing() if paused else wire.StartProcessing(), (("paused", paused),))

    def order(self, number: int) -> None:
        """Let movies run in another order."""
        order = list(Order)[number % len(Order)]
        self._wish(wire.OrderProcessing(order), (("order", order),))

    def retry(self) -> None:
        """Try all failed movies again."""
        self._wish(wire.RetryItems(), ())

    @property
    def is_waiting(self) -> bool:
        """Whether something has no answer yet."""
        return bool(self._wishes)

    def round(self) -> None:
        """Take the answer, ask the next. What had no answer in all its attempts is asked anew, as people do."""
        for envelope in self._dealer.receive():
            if self._requester.answered(envelope.reply_to) is not None:
                self._answered(read_answer(envelope, "the scheduler"))
        if not self._requester.questions and self._wishes and self.simulator.now >= self._not_before:
            self._requester.ask(self._wishes[0][0], PATIENCE, self.simulator.now)
        for question in self._requester.due(self.simulator.now):
            self._dealer.send(question.message, id=question.id)

    def _answered(self, answer: Message) -> None:
        self.simulator.note(f"user hears {answer.TYPE}")
        if isinstance(answer, wire.Error) and answer.code is ErrorCode.INTERNAL:
            self._not_before = self.simulator.now + AGAIN_S
            return
        _, acts = self._wishes.popleft()
        if not isinstance(answer, wire.Error):
            self.settled.update(acts)

    def _wish(self, message: Message, acts: Acts) -> None:
        self._wishes.append((message, acts))
        self.wake()
