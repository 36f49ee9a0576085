"""Which waiting movie is next."""

from __future__ import annotations

from warpcore.bus.vocabulary import MovieStatus, Order
from warpcore.services.scheduler.core.queue import Key, WaitingQueue
from warpcore.services.scheduler.core.records import MovieRecord


def keys(order: Order, movie: MovieRecord) -> tuple[Key, ...]:
    """The places of a waiting movie, smallest first: one, or one in each of the orders that take turns.

    High priority comes first in any order. A file's age is its modification time.
    """
    oldest = (-movie.priority, movie.mtime_ns, movie.id)
    latest = (-movie.priority, -movie.mtime_ns, -movie.id)
    match order:
        case Order.OLDEST:
            return (oldest,)
        case Order.LATEST:
            return (latest,)
        case Order.ALTERNATE:
            return (latest, oldest)
    return ((-movie.priority, 0 if movie.status == MovieStatus.OUTDATED else 1, movie.id),)


def empty_queue(order: Order) -> WaitingQueue:
    """A queue for movies with the keys of this order."""
    return WaitingQueue(2 if order == Order.ALTERNATE else 1)
