"""Pictures, curves, tracks, picks, log and files of movies over REST, from outputs as steps write them."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.services.api.rest_session import Api, problem
from tests.services.api.writing_worker import HEIGHT, WIDTH, WritingWorker
from warpcore.bus.limits import MOST_HAND_PICKS

NAME = "grid 1/a"


@pytest.fixture(scope="module")
def worker_and_api(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[tuple[WritingWorker, Api]]:
    with closing(Api(tmp_path_factory.mktemp("pictures"), free_ports(5))) as session:
        session.wait()
        picked = {"picking": {"diameter": 130}, "filter": {"particles_min": 0}}
        assert session.http.patch("/api/settings", json=picked).status_code == 200
        session.register(f"{NAME}.tif", "waits/b.tif")
        session.http.put("/api/items/waits/b/selection", json={"selection": "exclude"})
        with closing(WritingWorker(session.endpoints)) as worker:
            yield worker, session


@pytest.fixture
def api(worker_and_api: tuple[WritingWorker, Api], wait_until: Callable[..., None]) -> Api:
    _, session = worker_and_api
    wait_until(lambda: session.http.get(f"/api/items/{NAME}").json()["status"] == "processed")
    return session


def pixels(content: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_the_index_names_pictures_and_files_that_can_be_had(api: Api) -> None:
    index = api.http.get(f"/api/items/{NAME}/pictures").json()
    kinds = {picture["kind"]: picture for picture in index["pictures"]}
    assert list(kinds) == ["thumbnail", "average", "spectrum", "motion", "picks", "junk"]
    assert (kinds["average"]["width"], kinds["average"]["height"]) == (WIDTH, HEIGHT)
    for picture in index["pictures"]:
        answer = api.http.get(picture["url"])
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert pixels(answer.content).shape[:2] == (picture["height"], picture["width"])
    assert len(index["files"]) == 11
    for file in index["files"]:
        content = api.http.get(file["url"]).content
        assert content == (api.processing / file["path"]).read_bytes()
        assert len(content) == file["bytes"]


def test_a_try_shows_its_own_pictures_beside_those_of_the_movie(api: Api, wait_until: Callable[..., None]) -> None:
    asked = api.http.post(f"/api/items/{NAME}/try", json={"settings": {"ctf": {"range_max": 5.0}}})
    address = asked.headers["location"]
    assert asked.json()["pictures"] == []
    wait_until(lambda: api.http.get(address).json()["state"] == "done", what="the try")
    tried = api.http.get(address).json()
    kinds = {picture["kind"]: picture for picture in tried["pictures"]}
    assert list(kinds) == ["thumbnail", "average", "spectrum", "motion", "picks", "junk"]
    for picture in tried["pictures"]:
        assert picture["url"].startswith(f"{address}/picture/")
        answer = api.http.get(picture["url"])
        assert pixels(answer.content).shape[:2] == (picture["height"], picture["width"])
        same = api.http.get(picture["url"], headers={"If-None-Match": answer.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
    crop = pixels(api.http.get(f"{address}/picture/average?x=10&width=20&height=5").content)
    assert crop.shape[:2] == (5, 20)
    assert api.http.get(f"{address}/curves").json() == api.http.get(f"/api/items/{NAME}/curves").json()
    assert api.http.get(f"{address}/tracks").json()["frames"] == 2
    assert api.http.get(f"{address}/picks").json()["score"] == [0.9, 0.2]
    problem(api.http.get(f"{address}/picture/photo"), 404)
    (api.processing / tried["folder"] / f"average/{NAME}.mrc").unlink()
    problem(api.http.get(f"{address}/picture/average"), 404)
    assert api.http.get(f"/api/items/{NAME}/picture/average").status_code == 200
    problem(api.http.get("/api/tries/try-999999/picture/average"), 404)


def test_a_crop_has_its_part_size_and_contrast(api: Api) -> None:
    query = {"x": 20, "y": 5, "width": 40, "height": 30, "scale": 0.5, "lowValue": 0, "highValue": 255}
    shown = pixels(api.http.get(f"/api/items/{NAME}/picture/average", params=query).content)
    assert shown.shape == (15, 20)
    np.testing.assert_allclose(shown[7], 20.5 + 2 * np.arange(20), atol=4)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"x": 120}, "x"),
        ({"x": 100, "width": 21}, "x"),
        ({"scale": 2}, "scale"),
        ({"scale": "nan"}, "scale"),
        ({"scale": 0.5, "size": 10}, "size"),
        ({"low": 50, "high": 50}, "low"),
        ({"lowValue": "dark"}, "lowValue"),
        ({"colour": "red"}, "colour"),
        ({"generation": 2**32}, "generation"),
    ],
)
def test_impossible_crops_are_refused(api: Api, query: dict[str, Any], name: str) -> None:
    refused = problem(api.http.get(f"/api/items/{NAME}/picture/average", params=query), 400)
    assert refused["errors"][0]["name"] == name


def test_a_client_that_has_the_picture_gets_no_second_one(api: Api) -> None:
    address = f"/api/items/{NAME}/picture/average"
    first = api.http.get(address)
    assert first.headers["cache-control"] == "private, no-cache"
    again = api.http.get(address, headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert not again.content
    other = api.http.get(address, params={"size": 50}, headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_former_results_have_no_pictures_any_more(
    worker_and_api: tuple[WritingWorker, Api], api: Api, wait_until: Callable[..., None]
) -> None:
    worker, _ = worker_and_api
    former = api.http.get(f"/api/items/{NAME}/pictures").json()
    address = former["pictures"][1]["url"]
    before = api.http.get(address)
    worker.brightness = 1000
    api.http.patch("/api/settings", json={"motion": {"b_factor": -321}})
    wait_until(lambda: api.http.get(f"/api/items/{NAME}").json()["status"] == "processed")
    gone = problem(api.http.get(address), 404)
    present = api.http.get(f"/api/items/{NAME}/pictures").json()["generation"]
    assert present != former["generation"]
    assert f"generation={present}" in gone["detail"]
    shown = api.http.get(f"/api/items/{NAME}/picture/average", params={"lowValue": 0, "highValue": 255})
    assert shown.headers["etag"] != before.headers["etag"]
    assert pixels(shown.content).min() == 255


def test_curves_tracks_and_picks_come_as_data(api: Api) -> None:
    curves = api.http.get(f"/api/items/{NAME}/curves").json()
    assert curves["fit"] == [2.0, 6.0]
    assert curves["summary"]["defocusUAngstrom"] == 2e4
    assert curves["summary"]["grid"]["valuesUm"] == [1.95]
    tracks = api.http.get(f"/api/items/{NAME}/tracks").json()
    assert (tracks["widthAngstrom"], tracks["track"][1]) == (240.0, [1, 2])
    assert np.shape(tracks["local"]) == (2, 5, 5, 2)
    picks = api.http.get(f"/api/items/{NAME}/picks").json()
    assert (picks["xPx"], picks["score"], picks["threshold"]) == ([10.5, 20], [0.9, 0.2], 0.5)
    assert (picks["certainty"], picks["uncertain"]) == (0.9, False)
    assert (picks["width"], picks["pixelSizeAngstrom"], picks["diameterAngstrom"]) == (WIDTH, 2.0, 130.0)


def test_picks_edited_by_hand_are_shown_beside_the_pickers_own(api: Api, wait_until: Callable[..., None]) -> None:
    address = f"/api/items/{NAME}/picks"
    before = api.http.get(address).json()
    generation = api.http.get(f"/api/items/{NAME}/pictures").json()["generation"]
    assert before["hand"] == {"added": [], "removed": [], "withinPx": 130 / 4 / 2}
    edits = api.http.put(f"{address}/hand", json={"added": [[5, 6.5]], "removed": [[10, 30]]}).json()
    assert edits["hand"]["added"] == [[5, 6.5]]
    assert edits["former"] == 1
    wait_until(lambda: api.http.get(f"/api/items/{NAME}").json()["status"] == "processed")
    after = api.http.get(address).json()
    assert after.pop("hand") == edits["hand"]
    assert after == {name: value for name, value in before.items() if name != "hand"}
    problem(api.http.get(address, params={"generation": generation}), 404)
    undone = api.http.post(f"{address}/hand/undo").json()
    assert undone == api.http.get(f"{address}/hand").json()
    assert undone["hand"] == before["hand"]
    assert problem(api.http.post(f"{address}/hand/undo"), 409)
    wait_until(lambda: api.http.get(f"/api/items/{NAME}").json()["status"] == "processed")
    assert api.http.get(f"/api/items/{NAME}/pictures").json()["generation"] == generation


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"added": [[1, 2, 3]]}, "each a list of 2, each a number"),
        ({"added": [[1, 2]] * (MOST_HAND_PICKS + 1)}, f"added: give a list of at most {MOST_HAND_PICKS}"),
        ({"removed": [["1", 2]]}, "removed"),
        ({"removed": [[True, 2]]}, "removed"),
        ({"picks": []}, "picks"),
        ({"added": [[5000, 2]]}, ""),
    ],
)
def test_impossible_edits_are_refused(api: Api, body: dict[str, Any], named: str) -> None:
    refused = problem(api.http.put(f"/api/items/{NAME}/picks/hand", json=body), 422)
    assert named in refused["detail"]
    assert "edited by hand" not in api.http.get(f"/api/items/{NAME}").json()["story"][-1]["text"]


def test_training_needs_picks_edited_by_hand_and_can_be_cancelled(api: Api, wait_until: Callable[..., None]) -> None:
    before = api.http.get("/api/picker/train").json()
    assert (before["state"], before["unavailable"]) == ("none", None)
    assert "edited by hand" in problem(api.http.post("/api/picker/train"), 409)["detail"]
    api.http.put(f"/api/items/{NAME}/picks/hand", json={"added": [[5, 6]]})
    wait_until(lambda: api.http.get(f"/api/items/{NAME}").json()["status"] == "processed")
    started = api.http.post("/api/picker/train", json={"steps": 7})
    assert (started.status_code, started.headers["location"]) == (202, "/api/picker/train")
    told = {name: started.json()[name] for name in ("state", "movies", "steps", "diameterAngstrom", "weights")}
    assert told == {"state": "running", "movies": [NAME], "steps": 7, "diameterAngstrom": 130.0, "weights": None}
    assert "runs already" in problem(api.http.post("/api/picker/train"), 409)["detail"]
    api.http.delete("/api/picker/train")
    wait_until(lambda: api.http.get("/api/picker/train").json()["state"] == "cancelled")
    api.http.post(f"/api/items/{NAME}/picks/hand/undo")


@pytest.mark.parametrize(
    ("job", "body", "named"),
    [
        ("train", {"steps": 0}, "steps"),
        ("train", {"names": []}, "names"),
        ("train", {"names": [1]}, "names"),
        ("train", {"speed": 1}, "speed"),
        ("suggest", {"smallest": 5}, "smallest"),
    ],
)
def test_impossible_wishes_of_the_picker_are_refused(api: Api, job: str, body: dict[str, Any], named: str) -> None:
    assert problem(api.http.post(f"/api/picker/{job}", json=body), 422)["errors"][0]["name"] == named


@pytest.mark.parametrize("job", ["train", "suggest"])
def test_the_picker_goes_by_processed_movies_that_there_are(api: Api, job: str) -> None:
    assert "nobody" in problem(api.http.post(f"/api/picker/{job}", json={"names": [NAME, "nobody"]}), 404)["detail"]
    waiting = problem(api.http.post(f"/api/picker/{job}", json={"names": ["waits/b"]}), 409)["detail"]
    assert waiting.startswith("no processed movie of those has ")


@pytest.mark.slow
def test_diameters_are_suggested_from_processed_movies(api: Api, wait_until: Callable[..., None]) -> None:
    started = api.http.post("/api/picker/suggest", json={"smallest": 20, "largest": 40}).json()
    assert (started["state"], started["movies"]) == ("running", [NAME])
    wait_until(lambda: api.http.get("/api/picker/suggest").json()["state"] != "running", seconds=60)
    ended = api.http.get("/api/picker/suggest").json()
    assert (ended["state"], ended["problem"], ended["proposals"]) == ("done", "", [])


def test_the_log_holds_the_story_and_workers_lines_about_this_movie_alone(
    api: Api, wait_until: Callable[..., None]
) -> None:
    lines = api.http.get(f"/api/items/{NAME}/log").json()["lines"]
    assert (lines[0]["source"], lines[0]["text"], lines[0]["lease"]) == ("scheduler", "found", 0)
    done = next(line for line in lines if line["text"].startswith("processing → processed"))
    assert done["worker"] == "host/1"
    assert done["lease"] > 0
    assert {(line["source"], line["text"]) for line in lines if line["source"] != "scheduler"} == {
        ("host/1", f"{NAME}.tif: odd")
    }


def test_a_file_can_be_had_in_parts(api: Api) -> None:
    address = f"/api/items/{NAME}/files/average/{NAME}.mrc"
    whole = (api.processing / f"average/{NAME}.mrc").read_bytes()
    part = api.http.get(address, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert api.http.get(address, headers={"Range": "bytes=-8"}).content == whole[-8:]
    beyond = api.http.get(address, headers={"Range": f"bytes={len(whole)}-"})
    assert problem(beyond, 416)
    assert beyond.headers["content-range"] == f"bytes */{len(whole)}"
    other = {"Range": "bytes=0-9", "If-Range": '"another-file"'}
    assert api.http.get(address, headers=other).content == whole


@pytest.mark.parametrize(
    "path", ["../state.db", ".warpcore/state.db", "processed_items.json", "average/other.mrc", "/etc/passwd"]
)
def test_no_other_file_can_be_had(api: Api, path: str) -> None:
    assert api.http.get(f"/api/items/{NAME}/files/{path}").status_code == 404


def test_a_link_out_of_the_processing_directory_is_not_followed(api: Api, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mrc"
    secret.write_text("secret")
    halves = api.processing / f"average/odd/{NAME}.mrc"
    halves.parent.mkdir(parents=True)
    halves.symlink_to(secret)
    try:
        refused = problem(api.http.get(f"/api/items/{NAME}/files/average/odd/{NAME}.mrc"), 404)
        assert "link out of the processing directory" in refused["detail"]
    finally:
        halves.unlink()


@pytest.mark.parametrize("replace", ["link", "pipe", "folder"])
def test_what_is_no_file_of_its_own_hides_no_others_and_blocks_nothing(api: Api, tmp_path: Path, replace: str) -> None:
    path, aside = api.processing / f"average/{NAME}.mrc", tmp_path / "a.mrc"
    path.rename(aside)
    {"link": lambda: path.symlink_to(aside), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[replace]()
    try:
        for part in ("picture/average", f"files/average/{NAME}.mrc"):
            problem(api.http.get(f"/api/items/{NAME}/{part}"), 404)
        index = api.http.get(f"/api/items/{NAME}/pictures").json()
        assert [one["kind"] for one in index["pictures"]] == ["thumbnail", "spectrum", "motion", "picks", "junk"]
        assert f"average/{NAME}.mrc" not in {file["path"] for file in index["files"]}
    finally:
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
        aside.rename(path)


@pytest.mark.parametrize("part", ["picture/average", "picture/thumbnail", "curves", "tracks", "picks"])
def test_what_is_not_there_yet_is_told(api: Api, part: str) -> None:
    told = problem(api.http.get(f"/api/items/waits/b/{part}"), 404)["detail"]
    assert told.startswith("waits/b has no ")
    assert api.http.get("/api/items/waits/b/pictures").json()["pictures"] == []


def test_unknown_kinds_and_movies_are_told(api: Api) -> None:
    problem(api.http.get(f"/api/items/{NAME}/picture/photo"), 404)
    problem(api.http.get("/api/items/nobody/pictures"), 404)


def test_a_damaged_output_is_named(api: Api) -> None:
    path = api.processing / f"powerspectrum/{NAME}.json"
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    try:
        assert str(path) in problem(api.http.get(f"/api/items/{NAME}/curves"), 500)["detail"]
    finally:
        path.write_bytes(whole)


def test_what_a_movie_does_not_have_yet_is_not_the_movie_of_that_name(api: Api) -> None:
    api.register("waits/b/curves.tif")
    problem(api.http.get("/api/items/waits/b/curves"), 404)
    assert api.http.get("/api/items/waits%2Fb%2Fcurves").json()["name"] == "waits/b/curves"
    assert api.http.get("/api/items/waits/b/curves/log").json()["name"] == "waits/b/curves"
