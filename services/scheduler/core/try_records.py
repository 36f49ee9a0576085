"""What the scheduler keeps of a try."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from warpcore.bus.messages import Failure
from warpcore.bus.vocabulary import Purpose, TryState
from warpcore.services.scheduler.core import lives
from warpcore.services.scheduler.core.lives import Life, Living


@dataclass(slots=True)
class TryRecord(Living):
    """A movie that is processed aside.

    `number` is that of the event that told it first. `patch` holds the settings asked for, `settings` all of them, as
    they were in force then, and `references` the identities of the files that they name. `attempts` counts workers'
    failures, `avoid` names the last of them.
    """

    LIFE: ClassVar[Life] = lives.TRY

    number: int
    movie: int
    patch: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    references: str = ""
    at: float = 0.0
    by: str = ""
    state: TryState = TryState.WAITING
    attempts: int = 0
    avoid: str = ""
    failure: Failure | None = None
    results: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, list[str]] = field(default_factory=dict)
    filter_reasons: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """Its name, which its tasks have as their purpose."""
        return f"{Purpose.TRY}-{self.number}"

    @property
    def title(self) -> str:
        """Its name."""
        return self.id

    def told(self) -> Iterable[str]:
        """What is known of earlier attempts."""
        yield f"movie {self.movie}"
        if self.attempts:
            yield f"went wrong {self.attempts} times, on {self.avoid} last"
