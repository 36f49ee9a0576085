"""Movies as users list, choose and retry them."""

from __future__ import annotations

from typing import Any

from msgspec import field

from warpcore.bus import limits
from warpcore.bus.messages.acquisition import Acquisition
from warpcore.bus.messages.parts import Movie, ResolvedValue
from warpcore.bus.schema import Message, Port, message
from warpcore.bus.vocabulary import FailureKind, MovieStatus, Selection


@message("items")
class Items(Message, frozen=True):
    """A page of movies, and how many there are with this status."""

    movies: list[Movie]
    total: int
    page: int
    page_size: int


@message("items.get", port=Port.CONTROL, answers=(Items,))
class GetItems(Message, frozen=True):
    """A page of movies, of one `status` or all (null).

    `sort` is `name`, `added`, `status` or a result such as `ctf.defocus_um`; a `-` in front reverses it.
    """

    status: MovieStatus | None = None
    sort: str = "added"
    page: int = 1
    page_size: int = limits.PAGE


@message("movies")
class Movies(Message, frozen=True):
    """Movies in the order asked for, as many as fit a frame."""

    movies: list[Movie]


@message("movies.get", port=Port.CONTROL, answers=(Movies,))
class GetMovies(Message, frozen=True):
    """The movies with these numbers, from the first on as many as fit a frame. Unknown ones are left out."""

    ids: list[int]


@message("item")
class Item(Message, frozen=True):
    """One movie and its story, oldest first: `{seq, at, text, worker, lease, step}`.

    `learnt` says of each step that learns what its result goes by. `resolved` are the settings that the movie may tell
    itself, `waits_for` says what must be set before it can be processed; `acquisition` is all that its metadata say.
    """

    movie: Movie
    story: list[dict[str, Any]] = field(default_factory=list)
    learnt: dict[str, str] = field(default_factory=dict)
    resolved: list[ResolvedValue] = field(default_factory=list)
    waits_for: str = ""
    acquisition: Acquisition | None = None


@message("item.get", port=Port.CONTROL, answers=(Item,))
class GetItem(Message, frozen=True):
    """One movie and its story. Unknown name: error `not_found`.

    Where no movie has this name, `~12` is the movie of that number, and `~/NAME` the one called NAME.
    """

    name: str


@message("item.retry", port=Port.CONTROL, answers=(Item,))
class RetryItem(Message, frozen=True):
    """Queue a failed movie again and forget its failures; `force` also reruns all steps of a processed one."""

    name: str
    force: bool = False


@message("items.retried")
class ItemsRetried(Message, frozen=True):
    """How many movies wait again. `refused` are `{name, problem}` of those that cannot, as many as fit.

    Where `next_after` is not null there may be more: ask again with it as `after`.
    """

    retried: int
    refused: list[dict[str, str]] = field(default_factory=list)
    next_after: int | None = None


@message("items.retry", port=Port.CONTROL, answers=(ItemsRetried,))
class RetryItems(Message, frozen=True):
    """Queue these movies again, at most 2500; where none is named, the failed ones with id > `after`.

    Excluded movies do not run: named ones are refused, others passed over.

    `kind`: only those with a failure of this kind. `force` reruns all steps, of processed ones that are named too.
    """

    kind: FailureKind | None = None
    ids: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    force: bool = False
    after: int = 0


@message("items.forgotten")
class ItemsForgotten(Message, frozen=True):
    """How many movies are forgotten. `refused` are `{name, problem}` of those that stay, as many as fit."""

    forgotten: int
    refused: list[dict[str, str]] = field(default_factory=list)


@message("items.forget", port=Port.CONTROL, answers=(ItemsForgotten,))
class ForgetItems(Message, frozen=True):
    """Take these failed movies out of the session, at most 2500. A file that is there, or comes back, is found anew."""

    ids: list[int] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    by: str = ""


@message("item.select", port=Port.CONTROL, answers=(Item,))
class SelectItem(Message, frozen=True):
    """Set the user's own choice for a movie."""

    name: str
    selection: Selection
    by: str = ""


@message("item.prioritise", port=Port.CONTROL, answers=(Item,))
class PrioritiseItem(Message, frozen=True):
    """Set a waiting movie's priority: higher goes first, 0 is ordinary; `first` puts it ahead of all others."""

    name: str
    priority: int = 0
    first: bool = False


@message("summary")
class Summary(Message, frozen=True):
    """Counts by status. `last_modified` (epoch seconds) and `seq` are those of the last change of any movie."""

    counts: dict[str, int]
    total: int
    failed: int
    last_modified: float
    seq: int


@message("summary.get", port=Port.CONTROL, answers=(Summary,))
class GetSummary(Message, frozen=True):
    """Counts by status, and when any movie changed last."""
