"""What tests say to a nanny, and hear from it."""

from __future__ import annotations

from warpcore.bus import messages as m
from warpcore.bus.messages import Load
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import FailureKind
from warpcore.services.worker.effects import Effect, ToCompute, ToScheduler
from warpcore.services.worker.line import Command, Ready
from warpcore.services.worker.nanny import Nanny

READY = Ready("cpu", 8, {"jax": "1"})
NOTHING = Load()
LOST = FailureKind.LOST_WORKER


def sent(effects: list[Effect]) -> list[Message]:
    return [effect.message for effect in effects if isinstance(effect, ToScheduler)]


def commands(effects: list[Effect]) -> list[Command]:
    return [effect.command for effect in effects if isinstance(effect, ToCompute)]


def request_id(effects: list[Effect], kind: type[Message]) -> str:
    (found,) = [e.id for e in effects if isinstance(e, ToScheduler) and isinstance(e.message, kind)]
    return found


def task(lease: int, name: str = "a") -> m.AssignTask:
    return m.AssignTask(
        lease=lease,
        purpose="process",
        name=name,
        path=f"{name}.tif",
        size=1,
        mtime_ns=2,
        run=["motion"],
        wanted={},
        settings={},
        results={},
        data_directory="/d",
        processing_directory="/p",
    )


def answer(nanny: Nanny, effects: list[Effect], kind: type[Message], reply: Message, now: float) -> list[Effect]:
    return nanny.from_scheduler(reply, request_id(effects, kind), now)
