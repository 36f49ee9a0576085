"""`warpcore pool show|set`: pools that start and end workers on a batch system."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.bus.limits import LARGEST_POOL
from warpcore.cli import options as o
from warpcore.cli import output, remote

if TYPE_CHECKING:
    from warpcore.bus.messages import Pool

GROUP = typer.Typer(no_args_is_help=True, help="Pools of workers on a batch system.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    GROUP.command()(show)
    GROUP.command("set")(set_)
    app.add_typer(GROUP, name="pool", rich_help_panel="Control")


def show(
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Show each pool that reports: its workers and jobs, its limits, what is wrong, and the log of a job that died."""
    from warpcore.bus.messages import GetPools, Pools

    pools = remote.ask_once(scheduler, control_port, key, GetPools(), Pools).pools
    if as_json:
        output.as_json([pool.to_body() for pool in pools])
        return
    for pool in pools:
        for line in lines(pool):
            output.data(line)
    if not pools:
        output.note("no pool reports")


def set_(
    minimum: Annotated[
        int | None, typer.Option("--min", min=0, max=LARGEST_POOL, help="Keep at least so many workers.")
    ] = None,
    maximum: Annotated[
        int | None, typer.Option("--max", min=0, max=LARGEST_POOL, help="Have at most so many workers.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Submit jobs at once, whatever has stopped the pool.")
    ] = False,
    pool: Annotated[str, typer.Option("--pool", metavar="NAME", help="Which one, where there are several.")] = "",
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Set how many workers a pool may have, while the session runs. Restarts of pool and session do not change it."""
    from warpcore.bus.messages import Pools, SetPool

    message = SetPool(pool, minimum, maximum, resume, by=remote.asker())
    for one in remote.ask_once(scheduler, control_port, key, message, Pools).pools:
        if pool in ("", one.name):
            output.note(f"pool {one.name}: {one.minimum} to {one.maximum} workers from its next look on")


def lines(pool: Pool) -> list[str]:
    """A pool as plain lines."""
    limits = f"{pool.minimum} to {pool.maximum}{' set' if pool.revision else ', by its file'}"
    told = [
        f"pool {pool.name} on {pool.executor}, heard {pool.silent_s:.0f} s ago",
        f"  workers: {pool.registered} registered, {pool.wanted} wanted, {limits}"
        + ("" if pool.taken_over else "; the pool has not taken that over yet"),
        f"  jobs: {pool.running} run, {pool.queued} queued, {pool.submitted_last_hour} submitted in the last hour",
    ]
    return [*told, *(f"  problem: {one}" for one in pool.problems), *(f"  log: {one}" for one in pool.log)]
