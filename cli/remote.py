"""One request to the scheduler from the command line."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from warpcore.bus.endpoints import Endpoints
from warpcore.bus.limits import MOST_AT_ONCE, PAGE
from warpcore.cli import output
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.bus.client import RequestClient
    from warpcore.bus.messages import Movie
    from warpcore.bus.schema import Message
    from warpcore.bus.vocabulary import MovieStatus

    M = TypeVar("M", bound=Message)

PATIENCE_S = 2.0
ATTEMPTS = 2


def client(
    host: str, control_port: int, key: Path | None = None, *, timeout_s: float = PATIENCE_S, attempts: int = ATTEMPTS
) -> RequestClient:
    """A client of the scheduler there, with the key file that was given, or that of this user's own session."""
    from warpcore.bus.client import RequestClient
    from warpcore.cli.own_keys import key_for

    endpoint = Endpoints(host=host, control_port=control_port).control
    under = key_for(key, host, control_port)
    return RequestClient(endpoint, "cli", timeout_s=timeout_s, attempts=attempts, key=under)


def ask(asking: RequestClient, message: Message, answer: type[M]) -> M:
    """The answer, which must be of the type `answer`. Raises NoAnswerError, RefusedError."""
    reply = asking.request(message)
    if not isinstance(reply, answer):
        raise CliError(f"{asking.endpoint} answered {message.TYPE} with {reply.TYPE}; does the same version run there?")
    return reply


def ask_once(host: str, control_port: int, key: Path | None, message: Message, answer: type[M]) -> M:
    """Connect, ask, disconnect."""
    with client(host, control_port, key) as asking:
        return ask(asking, message, answer)


def all_movies(asking: RequestClient, status: str | None = None) -> list[Movie]:
    """All movies with this status in order of discovery, as many at a time as fit an answer."""
    from warpcore.bus.messages import GetSnapshot, Snapshot

    movies: list[Movie] = []
    after: int | None = 0
    while after is not None:
        page = ask(asking, GetSnapshot(after=after, limit=MOST_AT_ONCE), Snapshot)
        movies += [movie for movie in page.movies if status in (None, movie.status)]
        after = page.next_after
    return movies


def last_movies(asking: RequestClient, count: int, status: MovieStatus | None = None) -> list[Movie]:
    """The `count` movies with this status that were found last, in order of discovery."""
    from warpcore.bus.messages import GetItems, Items

    # By id: a movie found between two pages moves the others on, so that some come twice.
    found: dict[int, Movie] = {}
    size, page = min(count, PAGE), 1
    while len(found) < count:
        reply = ask(asking, GetItems(status=status, sort="-added", page=page, page_size=size), Items)
        found.update((movie.id, movie) for movie in reply.movies)
        if page * size >= reply.total:
            break
        page += 1
    return sorted(found.values(), key=lambda movie: movie.id)[-count:]


def asker() -> str:
    """Who sits at this command line, for the history of changes: `ada@microscope`."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a user without a name
        return ""


def each(names: list[str], do: Callable[[str], object], done: str) -> None:
    """Do it for each name. A refusal does not stop the others, but makes the command fail at the end."""
    from warpcore.bus.client import RefusedError

    refused = 0
    for name in names:
        try:
            do(name)
        except RefusedError as error:
            refused += 1
            output.fail(str(error))
        else:
            output.note(f"{name}: {done}")
    if refused:
        raise CliError(f"{refused} of {len(names)} movies refused")
