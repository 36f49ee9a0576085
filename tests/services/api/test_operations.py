"""How a resource's methods are read, answered and routed by the types that they declare."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

import falcon
import falcon.asgi
import falcon.testing
import pytest
from msgspec import Meta

from warpcore.bus.client import RefusedError
from warpcore.bus.messages import Error
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.api import errors
from warpcore.services.api.bodies import Body
from warpcore.services.api.checking import FaultsError, checked, in_words
from warpcore.services.api.openapi import document
from warpcore.services.api.operations import operation
from warpcore.services.api.parameters import Query
from warpcore.services.api.routing import for_falcon
from warpcore.services.api.views import View


class Window(Query, frozen=True):
    """Some query parameters."""

    first_line: Annotated[int, Meta(ge=1, le=9)] = 1
    only: list[str] = []  # noqa: RUF012 - msgspec copies it
    whole: bool = False
    highest: float | None = None


class Form(Query, frozen=True):
    """In which form."""

    format: Literal["json", "csv"] = "json"


class Change(Body, frozen=True):
    """A body."""

    box_size: int
    names: list[str] | None = None


class Deep(Body, frozen=True):
    """A body with numbers in a list."""

    ids: list[int]


class Seen(View, frozen=True):
    """What a resource was given."""

    path_name: str
    first_line: int = 0
    only: list[str] = []  # noqa: RUF012 - msgspec copies it
    box_size: int | None = None


class Movie:
    """Answers what it was asked."""

    @operation()
    async def on_get(self, name: str, query: Window) -> Seen:
        """Tells the query."""
        return Seen(path_name=name, first_line=query.first_line, only=query.only)


def check_known(name: str) -> None:
    """Raises RefusedError for all but two movies, as the scheduler does."""
    if name not in ("a", "a/files/none"):
        raise RefusedError(Error(ErrorCode.NOT_FOUND, f"no movie {name}"))


class Log:
    """Finds the logs of some movies alone."""

    @operation()
    async def on_get(self, name: str) -> Seen:
        """Tells the name."""
        check_known(name)
        return Seen(path_name=f"log of {name}")


class Curves:
    """Finds no curves of any movie."""

    @operation()
    async def on_get(self, name: str) -> Seen:
        """Tells nothing."""
        check_known(name)
        raise falcon.HTTPNotFound()


class Files:
    """Finds files of some movies alone."""

    @operation()
    async def on_get(self, name: str, file: str) -> Seen:
        """Tells both."""
        check_known(name)
        if file.startswith("none"):
            raise falcon.HTTPNotFound()
        return Seen(path_name=f"{file} of {name}")


class Changes:
    """Takes a body."""

    @operation(status=202)
    async def on_post(self, name: str, body: Change) -> Seen:
        """Tells the body."""
        return Seen(path_name=name, box_size=body.box_size)


class Picture:
    """Has a second variable in its path, and writes its answer itself."""

    @operation(media_types=["image/png"])
    async def on_get(self, name: str, kind: str, resp: falcon.asgi.Response) -> None:
        """Tells both."""
        resp.content_type = "image/png"
        resp.data = f"{name}:{kind}".encode()


class Listing:
    """Answers in one of two forms, or says that nothing has changed."""

    @operation(
        media_types=["text/csv"],
        also={304: "Nothing has changed."},
        request_headers={"If-None-Match": "The `ETag` of an earlier answer."},
        headers={"ETag": "Names this answer."},
    )
    async def on_get(self, query: Form, req: falcon.asgi.Request, resp: falcon.asgi.Response) -> Seen | None:
        """Tells it as JSON or CSV."""
        resp.etag = "1"
        if req.get_header("If-None-Match") == '"1"':
            resp.status = falcon.HTTP_304
            return None
        if query.format == "csv":
            resp.content_type = "text/csv"
            resp.text = "path_name\n"
            return None
        return Seen(path_name="")


@pytest.fixture(scope="module")
def client() -> falcon.testing.TestClient:
    app: Any = falcon.asgi.App()
    app.set_error_serializer(errors.write_problem)
    app.add_error_handler(RefusedError, errors.report_refused)
    routes = {
        "/movies/{name:path}": Movie(),
        "/movies/{name:path}/change": Changes(),
        "/movies/{name:path}/files/{file:path}": Files(),
        "/movies/{name:path}/log": Log(),
        "/movies/{name:path}/curves": Curves(),
        "/movies/{name:path}/picture/{kind}": Picture(),
        "/movies": Listing(),
    }
    for path, resource in for_falcon(routes).items():
        app.add_route(path, resource)
    return falcon.testing.TestClient(app)


@pytest.mark.parametrize("name", ["a", "grid/a", "picture/a", "a/change", "a/picture", "a\nb"])
def test_a_name_with_slashes_is_a_whole_name(client: falcon.testing.TestClient, name: str) -> None:
    path = name.replace("\n", "%0A")
    assert client.simulate_get(f"/movies/{path}").json["pathName"] == name
    assert client.simulate_post(f"/movies/{path}/change", json={"boxSize": 2}).json["pathName"] == name
    assert client.simulate_get(f"/movies/{path}/picture/average").text == f"{name}:average"


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("a/log", "log of a"),
        ("b/log", "b/log"),
        ("log", "log"),
        ("a/files/b/log", "b/log of a"),
        ("c/files/b/log", "c/files/b/log"),
        ("a/files/b/files/c", "b/files/c of a"),
        ("c/files/a/files/b", "c/files/a/files/b"),
        ("a%2Flog", "a/log"),
        ("a%2Ffiles%2Fnone/log", "log of a/files/none"),
        ("a/files/b%2Flog", "b/log of a"),
        ("a/files/none/log", "log of a/files/none"),
        ("b/curves", "b/curves"),
        ("a%2Fcurves", "a/curves"),
    ],
)
def test_a_path_that_means_nothing_by_its_words_is_a_name(
    client: falcon.testing.TestClient, path: str, meant: str
) -> None:
    assert client.simulate_get(f"/movies/{path}").json["pathName"] == meant


@pytest.mark.parametrize("path", ["a/curves", "a/files/none", "a/files/none/curves"])
def test_what_a_movie_lacks_is_no_other_movie(client: falcon.testing.TestClient, path: str) -> None:
    assert client.simulate_get(f"/movies/{path}").status_code == 404


def test_a_path_of_very_many_words_is_read_soon(client: falcon.testing.TestClient) -> None:
    began = time.process_time()
    assert client.simulate_get("/movies/" + "x/" * 2000 + "x").status_code == 200
    assert client.simulate_delete("/movies/" + "files/" * 680 + "x").status_code == 405
    assert time.process_time() - began < 0.5


def test_what_no_resource_does_is_not_allowed_and_names_what_is(client: falcon.testing.TestClient) -> None:
    refused = client.simulate_delete("/movies/a/change")
    assert refused.status_code == 405
    assert refused.headers["allow"] == "POST"
    assert client.simulate_options("/movies/a/change").headers["allow"] == "POST"
    assert client.simulate_post("/movies/a").headers["allow"] == "GET, HEAD"


def test_a_query_is_read_by_its_types(client: falcon.testing.TestClient) -> None:
    seen = client.simulate_get("/movies/a", query_string="firstLine=3&only=x&only=y").json
    assert (seen["firstLine"], seen["only"]) == (3, ["x", "y"])
    assert client.simulate_get("/movies/a", query_string="only=x").json["only"] == ["x"]


@pytest.mark.parametrize(
    ("query", "name", "problem"),
    [
        ("firstLine=0", "firstLine", "give a whole number from 1 to 9"),
        ("firstLine=nan", "firstLine", "give a whole number from 1 to 9"),
        ("first_line=1", "first_line", "unknown; known here: firstLine, only, whole, highest"),
        ("firstLine=1&firstLine=1", "firstLine", "given more than once"),
        ("highest=inf", "highest", "give a number"),
        ("highest=null", "highest", "give a number"),
        ("whole=maybe", "whole", "give true or false"),
    ],
)
def test_a_query_that_cannot_be_is_told(client: falcon.testing.TestClient, query: str, name: str, problem: str) -> None:
    refused = client.simulate_get("/movies/a", query_string=query)
    assert refused.status_code == 400
    (fault,) = refused.json["errors"]
    assert (fault["name"], fault["problem"]) == (name, problem)


def test_a_method_may_answer_in_another_form_or_with_a_status_alone(client: falcon.testing.TestClient) -> None:
    assert client.simulate_get("/movies").json["pathName"] == ""
    assert client.simulate_get("/movies", query_string="format=csv").text == "path_name\n"
    assert client.simulate_get("/movies", headers={"If-None-Match": '"1"'}).status_code == 304
    told = document({"/api/movies": Listing()}, "1")["paths"]["/api/movies"]["get"]
    assert set(told["responses"]["200"]["content"]) == {"application/json", "text/csv"}
    assert "content" not in told["responses"]["304"]
    assert {one["name"]: one["in"] for one in told["parameters"]} == {"format": "query", "If-None-Match": "header"}


def test_every_fault_of_a_body_is_told(client: falcon.testing.TestClient) -> None:
    refused = client.simulate_post("/movies/a/change", json={"names": [1], "colour": "red"})
    assert refused.status_code == 422
    assert {fault["name"]: fault["problem"] for fault in refused.json["errors"]} == {
        "names": "give a list, each a text or null",
        "colour": "unknown; known here: boxSize, names",
        "boxSize": "is missing; give a whole number",
    }


def test_a_long_value_is_told_in_part(client: falcon.testing.TestClient) -> None:
    refused = client.simulate_post("/movies/a/change", json={"boxSize": 1, "names": [*["a"] * 100_000, 1]})
    assert refused.status_code == 422
    assert len(refused.text) < 2000
    assert refused.json["errors"][0]["value"].startswith('["a", "a"')


def test_a_method_that_declares_nothing_may_stand_only_outside_of_the_api() -> None:
    class Bare:
        async def on_get(self, req: object, resp: object) -> None:
            """Undeclared."""

    assert document({"/": Bare(), "/page/{name}": Bare()}, "1")["paths"] == {}
    with pytest.raises(TypeError, match=r"Bare\.on_get is not declared by @operation"):
        document({"/api/bare": Bare()}, "1")


def test_numbers_are_not_read_from_texts_in_a_body() -> None:
    with pytest.raises(FaultsError, match="boxSize: give a whole number"):
        checked(Change, {"boxSize": "2"})
    assert checked(Change, {"boxSize": "2"}, strict=False).box_size == 2


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert checked(Change, {"boxSize": 2.0, "names": None}) == Change(box_size=2)
    assert checked(Deep, {"ids": [1.0, 2]}) == Deep(ids=[1, 2])
    with pytest.raises(FaultsError, match="boxSize: give a whole number"):
        checked(Change, {"boxSize": 2.5})


def test_types_are_told_in_words() -> None:
    assert in_words(Annotated[float, Meta(ge=0)]) == "a number of at least 0"
    assert in_words(Annotated[str, Meta(max_length=5)] | None) == "a text of 0 to 5 characters or null"
