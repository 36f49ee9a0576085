"""Room on disk and the session's own files over REST."""

from __future__ import annotations

import os

from tests.services.api.rest_session import Api, problem


def test_room_in_both_directories_is_told(api: Api) -> None:
    data, processing = api.http.get("/api/disk").json()
    assert (data["directory"], processing["directory"]) == ("data", "processing")
    assert processing["path"] == str(api.processing)
    for one in (data, processing):
        assert 0 < one["freeBytes"] <= one["totalBytes"]


def test_a_directory_that_is_gone_has_no_figures(api: Api) -> None:
    movies = api.processing.parent / "movies"
    movies.rename(movies.with_name("away"))
    try:
        data, processing = api.http.get("/api/disk").json()
    finally:
        movies.with_name("away").rename(movies)
    assert (data["freeBytes"], data["totalBytes"]) == (None, None)
    assert processing["freeBytes"] > 0


def test_the_sessions_own_files_are_listed_and_sent_whole_and_in_part(api: Api) -> None:
    assert api.http.get("/api/files").json() == []
    assert "not written yet" in problem(api.http.get("/api/files/movies.star"), 404)["detail"]
    (api.processing / "movies.star").write_text("data_movies\n")
    (api.processing / "other.star").write_text("of the user\n")
    (only,) = api.http.get("/api/files").json()
    assert (only["name"], only["bytes"], only["url"]) == ("movies.star", 12, "/api/files/movies.star")
    assert api.http.get(only["url"]).text == "data_movies\n"
    part = api.http.get(only["url"], headers={"Range": "bytes=5-"})
    assert (part.status_code, part.text) == (206, "movies\n")
    assert "movies.star" in problem(api.http.get("/api/files/other.star"), 404)["detail"]
    problem(api.http.get("/api/files/..%2Fsecret"), 404)


def test_a_link_in_the_place_of_a_file_leads_nowhere(api: Api) -> None:
    secret = api.processing.parent / "secret"
    secret.write_text("nobody's business")
    os.symlink(secret, api.processing / "autopick.star")
    answer = api.http.get("/api/files/autopick.star")
    assert answer.status_code in (403, 404)
    assert "nobody" not in answer.text
