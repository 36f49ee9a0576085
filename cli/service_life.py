"""How the command of a service begins and ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import typer

from warpcore.cli.errors import CONFIGURATION, CliError
from warpcore.services.process.logs import LogFormat, log_to_stderr


@contextmanager
def service(log_format: LogFormat, group_writable: bool = False) -> Iterator[Event]:
    """What all services do: end with the parent where there is one, log to stderr, end on INT, TERM and HUP."""
    from warpcore.cli.signals import stop_event
    from warpcore.services.process.parent import end_with_parent
    from warpcore.services.session.paths import let_group_write

    if group_writable:
        let_group_write()
    stop = stop_event()
    end_with_parent(insist=True)
    log_to_stderr(log_format)
    from warpcore.services.access.private import AccessError

    with incurable(AccessError):
        yield stop


@contextmanager
def incurable(*kinds: type[Exception]) -> Iterator[None]:
    """Errors of these kinds mean that the service cannot run with this configuration: exit code 78."""
    try:
        yield
    except kinds as error:
        raise CliError(str(error), CONFIGURATION) from None


def exit_with(code: int) -> None:
    """End the command with this exit code, where it is not 0."""
    if code:
        raise typer.Exit(code)
