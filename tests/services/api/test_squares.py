"""Squares, groups and the map over HTTP, in a session whose movies have metadata."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.services.api.event_reader import EventReader
from tests.services.api.rest_session import WARPCORE, Api, WireWorker, problem
from tests.waiting import wait_until
from warpcore.bus import messages as m
from warpcore.bus.vocabulary import Verdict
from warpcore.services.client import Session

MTIME_NS = 1_700_000_000_000_000_000


def recorded(number: int, square: str, defocus_um: float = 1.0) -> m.FoundFile:
    """A movie of EPU's in a hole of its own."""
    told = m.Acquisition(
        source=f"{square}/m{number}.xml",
        kind="epu",
        square=square,
        hole=str(number),
        defocus_applied_um=defocus_um,
        stage_x_um=10.0 * number,
        stage_y_um=0.0,
        beam_shift_x=0.1,
        beam_shift_y=0.0,
    )
    header = m.Header(8, 512, 512, 1.1)
    return m.FoundFile(f"{square}/m{number}.tif", 1000, MTIME_NS, header=header, acquisition=told)


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[Api]:
    """Six movies of two squares and one without metadata, all done."""
    with closing(Api(tmp_path_factory.mktemp("placed"), free_ports(5))) as session:
        session.wait()
        found = [recorded(number, "7" if number < 6 else "8", 1.0 + number % 2) for number in range(1, 7)]
        session.control.request(m.RegisterFiles(found))
        session.register("plain.tif")
        with closing(WireWorker(session.endpoints)):
            wait_until(lambda: session.http.get("/api/processing/status").json()["counts"]["processed"] == 7)
            yield session


def test_squares_and_holes(placed: Api) -> None:
    view = placed.http.get("/api/squares").json()
    assert [(one["square"], one["movies"], one["good"], one["verdict"]) for one in view["squares"]] == [
        ("7", 5, 5, "good"),
        ("8", 1, 1, "few"),
    ]
    first = view["squares"][0]
    assert first["advice"] == "good: 5 of 5 movies good (100 %)"
    assert [hole["hole"] for hole in first["holes"]] == ["1", "2", "3", "4", "5"]
    assert first["medians"]["resolutionAngstrom"] == 3.8
    assert first["medians"]["offTargetUm"] == -0.75  # applied 2, 1, 2, 1, 2 µm, measured 1.25 each
    assert (first["stageXUm"], view["withoutSquare"]) == (30.0, 1)


def test_the_client_in_python_reads_them(placed: Api) -> None:
    first = Session(str(placed.http.base_url)).squares().squares[0]
    assert (first.square, first.verdict, first.medians.early_step_angstrom) == ("7", Verdict.GOOD, 0.4)


def test_movies_are_listed_by_where_they_were_recorded(placed: Api) -> None:
    query = {"filter": "place.square:7", "sort": "-place.stageXUm", "fields": "name,place.hole,place.offTargetUm"}
    found = placed.http.get("/api/items", params=query).json()["items"]
    assert [item["place.hole"] for item in found] == ["5", "4", "3", "2", "1"]
    assert [item["place.offTargetUm"] for item in found] == [-0.75, 0.25, -0.75, 0.25, -0.75]
    whole = placed.http.get("/api/items/7/m1").json()["results"]["place"]
    assert (whole["square"], whole["defocusAppliedUm"], whole["offTargetUm"]) == ("7", 2.0, -0.75)


def test_groups_by_any_column(placed: Api) -> None:
    groups = placed.http.get("/api/groups", params={"by": "place.defocusAppliedUm", "fields": "ctf.defocusUm"}).json()
    assert [(one["values"]["place.defocusAppliedUm"], one["movies"]) for one in groups] == [
        (1.0, 3),
        (2.0, 3),
        (None, 1),
    ]
    assert groups[0]["statuses"] == {"processed": 3}
    assert groups[0]["medians"] == {"ctf.defocusUm": 1.25}
    by_both = placed.http.get("/api/groups?by=place.square,place.hole&filter=place.square:8").json()
    assert [one["values"] for one in by_both] == [{"place.square": "8", "place.hole": "6"}]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/groups?by=name", "group by columns of words or numbers"),
        ("/api/groups?by=nothing", "use columns of"),
        ("/api/groups?by=status&filter=ctf.defocusUm:a", "give a range of numbers"),
        ("/api/map.png?colour=status,selection", "name one column"),
        ("/api/map.png?width=10", "width"),
    ],
)
def test_impossible_questions_are_refused(placed: Api, path: str, said: str) -> None:
    assert said in problem(placed.http.get(path), 400)["detail"]


def test_the_map_is_a_picture_and_missing_squares_are_said(placed: Api) -> None:
    picture = placed.http.get("/api/map.png?colour=place.offTargetUm&width=300&height=200")
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    assert placed.http.get("/api/map.png?colour=status&square=8").status_code == 200
    assert "in square 9" in problem(placed.http.get("/api/map.png?square=9"), 404)["detail"]


def test_the_command_line_says_the_same_and_draws_the_map(placed: Api, tmp_path: Path) -> None:
    command = [*WARPCORE, "squares", "--control-port", str(placed.endpoints.control_port), "--json"]
    command += ["--map", str(tmp_path / "m.png"), "--colour", "off target"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["squares"] == placed.http.get("/api/squares").json()["squares"]
    assert (tmp_path / "m.png").read_bytes().startswith(b"\x89PNG")
    assert "place.offTargetUm" in ran.stderr


def test_the_feed_tells_all_squares_and_then_those_that_change(placed: Api) -> None:
    with closing(EventReader(f"{placed.http.base_url}/api/squares/events")) as reader:
        wait_until(lambda: "squares" in reader.topics())
        whole = next(one for one in reader.sent if one.topic == "squares")
        assert [square["square"] for square in whole.data["squares"]] == ["7", "8"]
        placed.control.request(m.RegisterFiles([recorded(7, "8")]))
        wait_until(lambda: any(one.topic == "square" and one.data["done"] == 2 for one in reader.sent))
        assert {one.data["square"] for one in reader.sent if one.topic == "square"} == {"8"}
