"""`items --last N` against the scheduler's own machine, while movies are still being found."""

from __future__ import annotations

import itertools
from typing import Any, cast

import pytest

from tests.services.scheduler_world import World
from warpcore.bus.client import RequestClient
from warpcore.bus.schema import Message
from warpcore.bus.vocabulary import MovieStatus
from warpcore.cli.remote import last_movies

FOUND = 350


class Growing:
    """Asks the machine, and has another movie found after each answer."""

    endpoint = "the scheduler"

    def __init__(self, world: World) -> None:
        self.world = world
        self.numbers = itertools.count(FOUND + 1)

    def request(self, message: Message) -> Any:
        answer = self.world.ask(message)
        self.world.files(f"{next(self.numbers)}.tif")
        return answer


def growing(world: World) -> RequestClient:
    return cast("RequestClient", Growing(world))


@pytest.mark.parametrize("count", [1, 99, 100, 101, 250, FOUND])
def test_each_of_the_last_movies_comes_once_in_order(count: int) -> None:
    world = World(*(f"{number}.tif" for number in range(1, FOUND + 1)))
    last = [movie.id for movie in last_movies(growing(world), count)]
    assert last == list(range(FOUND - count + 1, FOUND + 1))


def test_more_than_there_are_gives_all() -> None:
    world = World("a.tif", "b.tif")
    assert [movie.name for movie in last_movies(growing(world), 90)] == ["a", "b"]


def test_a_status_is_heeded() -> None:
    world = World("a.tif", "b.tif", "c.tif")
    world.worker("w", credit=1)
    world.finish("a")
    assert [movie.name for movie in last_movies(growing(world), 5, MovieStatus.PROCESSED)] == ["a"]
    assert last_movies(growing(world), 5, MovieStatus.FAILED) == []
