"""`/api/pools`: pools of workers on a batch system, and how many workers each may have."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from warpcore.bus.limits import LARGEST_POOL
from warpcore.bus.messages import GetPools, PoolName, Pools, SetPool
from warpcore.services.api.bodies import Body
from warpcore.services.api.client import Scheduler, ask
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import By
from warpcore.services.api.views import PoolsView, PoolView

Name = Annotated[PoolName, Meta(description="The pool's name.")]
Limit = Annotated[int, Meta(ge=0, le=LARGEST_POOL)] | None


class PoolBody(Body, frozen=True):
    """What is to change; what is left out, or null, stays as it is."""

    minimum: Annotated[Limit, Meta(description="Keep at least so many workers.")] = None
    maximum: Annotated[Limit, Meta(description="Have at most so many workers.")] = None
    resume: Annotated[bool, Meta(description="Submit jobs at once, whatever has stopped the pool.")] = False
    by: By = ""


class PoolsResource:
    """`/api/pools`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation()
    async def on_get(self) -> PoolsView:
        """The pools that report: limits, workers, jobs, and what is wrong. One that ended in order is not listed."""
        return PoolsView.of(await ask(self._scheduler, GetPools(), Pools))


class PoolResource:
    """`/api/pools/{pool}`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    @operation(
        errors={
            404: "No pool that reports has this name.",
            422: "Nothing is to change, or the limits contradict each other: nothing has changed.",
        }
    )
    async def on_patch(self, pool: Name, body: PoolBody) -> PoolView:
        """Set how many workers a pool may have, or let it submit again. It takes that over at its next look."""
        message = SetPool(pool, body.minimum, body.maximum, body.resume, body.by)
        found = await ask(self._scheduler, message, Pools)
        return next(PoolView.of(one) for one in found.pools if one.name == pool)


def routes(scheduler: Scheduler) -> dict[str, object]:
    """The resources of this module by their paths."""
    return {"/api/pools": PoolsResource(scheduler), "/api/pools/{pool}": PoolResource(scheduler)}
