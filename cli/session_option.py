"""`--session NAME`: commands find a session of this user by its name or processing directory instead of by ports."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warpcore.cli.errors import USAGE, CliError

if TYPE_CHECKING:
    from warpcore.services.access.sessions import OwnSession

SESSION = "session"
_WHERE = ("scheduler", "controller_port", "control_port", "events_in_port", "events_out_port", "url")
"""Parameters that say which session is meant. A key belongs to one session, so it says so too."""
_ACCESS = ("processing", "access")
"""The same for commands that change a session's keys and tokens."""

Session = Annotated[
    str | None,
    typer.Option(
        "--session",
        metavar="NAME",
        envvar="WARPCORE_SESSION",
        help="The session of yours on this host with this name or processing directory (`warpcore sessions`).",
        show_default="the only one that runs",
    ),
]


class Given(IntEnum):
    """How a value was given; what stands on the command line goes before the environment."""

    NOT = 0
    BY_ENVIRONMENT = 1
    ON_COMMAND_LINE = 2


def how_given(context: typer.Context, parameter: str) -> Given:
    """How the user has given this parameter of a command."""
    source = context.get_parameter_source(parameter)
    by = {"COMMANDLINE": Given.ON_COMMAND_LINE, "ENVIRONMENT": Given.BY_ENVIRONMENT}
    return by.get(source.name, Given.NOT) if source is not None else Given.NOT


def is_given(context: typer.Context, parameter: str) -> bool:
    """Whether the user has given it in any way."""
    return how_given(context, parameter) is not Given.NOT


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command was given: `session`, and the strongest of what says where its session is."""

    session: str | None
    session_given: Given
    places_given: Given


def chosen(asked: Asked, sessions: list[OwnSession], *, alone: bool) -> OwnSession | None:
    """The session that is meant; None where the places hold that the command was given, or has by default.

    With `alone` the only one that runs is meant where nothing is said. Raises CliError in one line where none or
    several can be meant.
    """
    from warpcore.services.access.sessions import sessions_called

    if asked.session is not None and asked.session_given >= asked.places_given:
        if asked.session_given == asked.places_given:
            raise CliError(f"--session {asked.session} says where the session is: give it or ports, not both", USAGE)
        found = sessions_called(asked.session, sessions)
        if len(found) == 1:
            return found[0]
        fault = "none of your sessions is" if not found else "several of your sessions are"
        raise CliError(f"{fault} called {asked.session}, or processes there; {_that_run(found or sessions)}", USAGE)
    if not alone or asked.places_given is not Given.NOT or not sessions:
        return None
    if len(sessions) > 1:
        raise CliError(f"say which session is meant: --session NAME; {_that_run(sessions)}", USAGE)
    return sessions[0]


def places_of(session: OwnSession) -> dict[str, Any]:
    """The values of all parameters that say where a session is."""
    ports = session.ports
    return {
        "scheduler": session.host,
        "controller_port": ports.controller,
        "control_port": ports.control,
        "events_in_port": ports.events_in,
        "events_out_port": ports.events_out,
        "url": session.page,
        "processing": Path(session.processing),
        "access": Path(session.access) if session.access else None,
    }


_NEEDS_NONE = "needs_no_session"


def needs_no_session(command: Callable[..., None]) -> Callable[..., None]:
    """Decorator: a command that says more where a session runs, and works without one too."""
    setattr(command, _NEEDS_NONE, True)
    return command


def for_session(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the option `--session`, which fills in the parameters that say where the session is."""
    signature = inspect.signature(command, eval_str=True)
    changes_access = "access" in signature.parameters and "scheduler" not in signature.parameters
    places = [name for name in (_ACCESS if changes_access else _WHERE) if name in signature.parameters]
    telling = [
        *places,
        *(name for name in ("key", "token_file") if name in signature.parameters and not changes_access),
    ]

    needs_one = not getattr(command, _NEEDS_NONE, False)

    @functools.wraps(command)
    def run(context: typer.Context, session: str | None, **given: Any) -> None:
        asked = Asked(session, how_given(context, SESSION), max(how_given(context, name) for name in telling))
        from warpcore.services.access.sessions import running

        found = chosen(asked, running(), alone=needs_one)
        if found is not None and changes_access and not found.access:
            raise CliError(f"{found.name} runs with --insecure, without keys and tokens; give --access DIR", USAGE)
        values = places_of(found) if found is not None else {}
        command(**given | {name: values[name] for name in places if name in values})

    parameters = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in signature.parameters.values()]
    parameters.insert(
        list(signature.parameters).index(places[0]),
        inspect.Parameter(SESSION, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Session),
    )
    parameters.append(inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context))
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {name: one.annotation for name, one in run.__signature__.parameters.items()}  # type: ignore[attr-defined]
    return run


def let_name_sessions(app: typer.Typer) -> None:
    """Give `--session` to every command that asks a session, in all groups."""
    for info in app.registered_commands:
        if info.callback is not None and _asks(inspect.signature(info.callback).parameters):
            info.callback = for_session(info.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            let_name_sessions(group.typer_instance)


def _asks(parameters: Mapping[str, inspect.Parameter]) -> bool:
    changes_access = "access" in parameters and "processing" in parameters and "data" not in parameters
    return SESSION not in parameters and ("scheduler" in parameters or "url" in parameters or changes_access)


def _that_run(sessions: list[OwnSession]) -> str:
    if not sessions:
        return "none of yours runs on this host"
    return "these run: " + ", ".join(f"{one.name} ({one.processing})" for one in sessions)
