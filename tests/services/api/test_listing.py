"""Lists and series over HTTP: filters, pages, fields, CSV, increments."""

from __future__ import annotations

import csv
import io

import pytest

from tests.services.api.rest_session import LONGEST_S, Api, problem
from tests.services.api.series_reader import Series
from warpcore.bus import messages as m
from warpcore.services.api.mirror.catalogue import COLUMNS


def names(api: Api, query: str) -> list[str]:
    answer = api.http.get(f"/api/items?{query}")
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filter=ctf.defocusUm:1..2", ["a", "grid1/a", "grid 2/µ%"]),
        ("filter=ctf.defocusUm:2..", []),
        ("filter=ctf.defocusUm:none", ["bad"]),
        ("filter=status:failed,queued", ["bad"]),
        ("filter=name:grid*&filter=picking.count:none", ["grid1/a", "grid 2/µ%"]),
        ("filter=name:*a&sort=-name", ["grid1/a", "a"]),
        ("sort=-status,-name", ["grid1/a", "grid 2/µ%", "a", "bad"]),
    ],
)
def test_movies_are_chosen_by_any_column_and_sorted_by_several(api: Api, query: str, found: list[str]) -> None:
    assert names(api, query) == found


def test_a_cursor_leads_through_all_pages(api: Api) -> None:
    pages, cursor = [], ""
    while True:
        page = api.http.get("/api/items", params={"sort": "-name", "pageSize": 3, "cursor": cursor or None}).json()
        pages.append([item["name"] for item in page["items"]])
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert pages == [["grid1/a", "grid 2/µ%", "bad"], ["a"]]
    assert page["totalItems"] == 4


def test_chosen_fields_come_alone(api: Api) -> None:
    query = {"fields": "name,status,ctf.defocusUm,motion.accumulatedTotalAngstrom", "sort": "name", "pageSize": 2}
    assert api.http.get("/api/items", params=query).json()["items"] == [
        {"name": "a", "status": "processed", "ctf.defocusUm": 1.25, "motion.accumulatedTotalAngstrom": 12.5},
        {"name": "bad", "status": "failed", "ctf.defocusUm": None, "motion.accumulatedTotalAngstrom": None},
    ]


def test_csv_holds_all_movies_with_all_columns_or_the_chosen_ones(api: Api) -> None:
    answer = api.http.get("/api/items?format=csv&sort=name")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "movies.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["name"], row["ctf.defocusUm"]) for row in rows][:2] == [("a", "1.25"), ("bad", "")]
    short = api.http.get("/api/items?format=csv&fields=name,id&filter=status:failed").text
    assert short == "name,id\nbad,4\n"


@pytest.mark.parametrize(
    "query",
    [
        "filter=ctf.defocusUm:x..2",
        "filter=nothing:1..2",
        "filter=status:done",
        "fields=name,nothing",
        "format=xml",
        "cursor=nonsense",
        "cursor=x&page=2",
        "format=csv&page=2",
        "sort=name,nothing",
    ],
)
def test_what_cannot_be_asked_of_a_list_is_named(api: Api, query: str) -> None:
    document = problem(api.http.get(f"/api/items?{query}"), 400)
    assert document["errors"][0]["name"] in query
    assert document["errors"][0]["problem"]


def test_a_list_shows_what_was_changed_just_before(api: Api) -> None:
    for selection in ["include", "exclude"] * 20:
        api.http.put("/api/items/a/selection", json={"selection": selection}).raise_for_status()
        assert names(api, f"filter=selection:{selection}") == ["a"]
    api.http.put("/api/items/a/selection", json={"selection": "auto"}).raise_for_status()


def test_many_whole_movies_fit_one_page(api: Api) -> None:
    """More than one message of the wire holds."""
    api.http.post("/api/processing/pause").raise_for_status()
    paths = [f"big/{'n' * 2000}{number}.tif" for number in range(1000)]
    for first in range(0, 1000, 100):
        api.register(*paths[first : first + 100])
    answer = api.http.get("/api/items?pageSize=1000&filter=name:big/*").json()
    assert [item["path"] for item in answer["items"]] == paths
    assert len(answer["items"]) == answer["totalItems"] == 1000


def series(api: Api, query: str, **headers: str) -> Series:
    answer = api.http.get(f"/api/series?{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/vnd.warpcore.series"
    return Series(answer.content)


def test_a_series_tells_all_movies_and_then_what_has_changed(api: Api) -> None:
    whole = series(api, "columns=name,selection,ctf.defocusUm")
    rows = {row["name"]: row for row in whole.rows().values()}
    assert whole.header["full"] is True
    assert (rows["a"]["selection"], rows["a"]["ctf.defocusUm"], rows["bad"]["ctf.defocusUm"]) == ("auto", 1.25, None)
    api.control.request(m.SelectItem("bad", "include"))  # type: ignore[arg-type]
    seq = api.http.get("/api/items/timestamp").json()["seq"]
    since = f"since={whole.header['seq']}&epoch={whole.header['epoch']}"
    newer = series(api, f"columns=name,selection&{since}")
    assert (newer.header["full"], newer.header["total"]) == (False, whole.header["total"])
    assert newer.header["seq"] >= seq
    assert [(row["name"], row["selection"]) for row in newer.rows().values()] == [("bad", "include")]
    assert series(api, f"columns=name&since={seq}&epoch=another").header["full"] is True
    nothing = series(api, f"columns=name&since={seq}").header
    assert (nothing["full"], nothing["count"]) == (False, 0), "without an epoch the present one is meant"


def test_a_series_is_compressed_for_whoever_takes_that(api: Api) -> None:
    plain = api.http.get("/api/series", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    small = api.http.get("/api/series", headers={"Accept-Encoding": "gzip, br"})
    assert small.headers["content-encoding"] == "gzip"
    assert small.content == plain.content
    assert int(small.headers["content-length"]) < int(plain.headers["content-length"]) / 10


def test_columns_are_told_with_what_a_client_must_know(api: Api) -> None:
    columns = {column["name"]: column for column in api.http.get("/api/columns").json()}
    assert list(columns) == list(COLUMNS)
    defocus = columns["ctf.defocusUm"]
    assert (defocus["unit"], defocus["digits"], defocus["step"], defocus["kind"]) == ("µm", 4, "ctf", "number")
    assert defocus["main"] is True
    assert defocus["limits"] == [
        {"setting": "filter.defocus_min", "upper": False},
        {"setting": "filter.defocus_max", "upper": True},
    ]
    assert columns["picking.picks"]["kind"] == "word"
    assert [name for name, column in columns.items() if column["failed"]] == ["ctf.resolutionAngstrom"]
    problem(api.http.get("/api/series?columns=name,nothing"), 400)
    problem(api.http.get("/api/series?since=-1"), 400)


def test_an_api_that_hears_no_events_shows_changes_all_the_same(api: Api) -> None:
    """It then asks for them: a wrong port for events costs a moment, and nothing else."""
    api.server.terminate()
    api.server.wait(LONGEST_S)
    api.restart_server("--events-out-port", "1")
    api.wait()
    for selection in ("include", "auto"):
        api.http.put("/api/items/a/selection", json={"selection": selection}).raise_for_status()
        assert names(api, f"filter=selection:{selection}&filter=name:a") == ["a"]
