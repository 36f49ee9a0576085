"""The Python client against the real application."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from msgspec.structs import replace

from tests.services.api.rest_session import LONGEST_S, Api
from tests.services.api.writing_worker import WritingWorker
from tests.services.client.http_for_tests import Quiet, served
from warpcore.bus.messages import ReportPool, SelectItem
from warpcore.bus.vocabulary import FailureKind, MovieStatus, Selection
from warpcore.services.client import ApiError, Event, Session, UnreachableError

MOVIES = ("a.tif", "grid 1/µ%?.tif", "summary.tif", "a/log.tif", "~1/log.tif", "bad.tif")
NAMES = [name.removesuffix(".tif") for name in MOVIES]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]) -> Iterator[Api]:
    with closing(Api(tmp_path_factory.mktemp("client"), free_ports(5))) as running:
        running.wait()
        running.http.patch("/api/settings", json={"picking": {"diameter": 130}}).raise_for_status()
        running.register(*MOVIES)
        with closing(WritingWorker(running.endpoints)):
            yield running


@pytest.fixture
def session(api: Api) -> Session:
    """All movies done."""
    session = Session(f"http://127.0.0.1:{api.rest_port}/", timeout_s=LONGEST_S)
    session.wait_until_done(movies=len(MOVIES), timeout_s=LONGEST_S, interval_s=0.05)
    return session


def test_a_token_goes_to_the_address_that_was_given_and_to_no_other() -> None:
    heads: list[dict[str, str]] = []
    with redirecting(heads) as url, pytest.raises(UnreachableError):
        Session(url, token="wct_1_2").status()
    first, *others = heads
    assert first["Authorization"] == "Bearer wct_1_2"
    assert others, "the redirect was followed"
    assert not [head for head in others if "Authorization" in head]


@contextmanager
def redirecting(heads: list[dict[str, str]]) -> Iterator[str]:
    """A server that sends who asks to another path once, notes the heads, and then ends the connection."""

    class Handler(Quiet):
        def do_GET(self) -> None:
            heads.append(dict(self.headers))
            if self.path != "/elsewhere":
                self.send_response(302)
                self.send_header("Location", "/elsewhere")
                self.end_headers()

    with served(Handler) as address:
        yield address


def test_it_tells_how_far_the_session_is(session: Session) -> None:
    status = session.status()
    assert (status.total_items, status.items_left) == (6, 0)
    assert [worker.id for worker in session.workers()] == ["host/1"]
    assert session.health().status == "ok"
    assert {alarm.severity for alarm in session.alarms()} <= {"warning", "critical"}
    assert session.report().startswith(b"<!doctype html>")


def test_movies_come_page_by_page_filtered_and_sorted(session: Session) -> None:
    assert [movie.name for movie in session.items()] == NAMES
    done = session.items("status:processed", "ctf.defocusUm:1..2", sort="-name")
    assert [movie.name for movie in done] == ["~1/log", "summary", "grid 1/µ%?", "a/log", "a"]
    assert list(session.records("name:bad", fields=["name", "status"])) == [{"name": "bad", "status": "failed"}]


@pytest.mark.parametrize("name", NAMES)
def test_a_movie_is_found_whatever_its_name(session: Session, name: str) -> None:
    movie = session.item(name)
    assert movie.name == name
    assert movie.story
    assert session.item(f"~{movie.id}").name == name
    assert session.pictures(name) == session.pictures(f"~{movie.id}")


@pytest.mark.parametrize("name", ["a", "a/log"])
def test_all_that_a_movie_shows_is_reached_by_its_number_and_by_its_name(api: Api, session: Session, name: str) -> None:
    shown = [path for path, told in api.http.get("/api/openapi.json").json()["paths"].items() if "get" in told]
    shown = [path for path in shown if re.fullmatch(r"/api/items/\{name\}[^{]*", path)]
    assert len(shown) > 10
    for address in (f"~{session.item(name).id}", quote(name, safe="")):
        for path in shown:
            assert api.http.get(path.format(name=address)).status_code == 200, path
        assert api.http.get(f"/api/items/{address}/log").json()["name"] == name


def test_series_are_numpy_arrays(session: Session) -> None:
    series = session.series("name", "status", "worker", "ctf.defocusUm", "generation")
    assert series["name"].tolist() == NAMES
    assert series["status"].tolist() == ["processed"] * 5 + ["failed"]
    assert series["worker"].tolist() == [""] * 6
    np.testing.assert_allclose(series["ctf.defocusUm"], [1.25] * 5 + [np.nan])
    assert series["generation"].dtype == np.uint32
    assert len(set(series["id"])) == len(series) == 6
    with pytest.raises(KeyError, match=r"name, status"):
        series["ctf.resolutionAngstrom"]


def test_a_newer_series_brings_what_has_changed_and_keeps_the_rest(
    session: Session, wait_until: Callable[..., None]
) -> None:
    before = after = session.series("name", "selection")
    session.select(Selection.EXCLUDE, names=["a"])

    def changed() -> bool:
        nonlocal after
        after = session.newer(after)
        return after["selection"].tolist() != before["selection"].tolist()

    wait_until(changed)
    assert after.seq > before.seq
    assert after["name"].tolist() == NAMES
    assert after["selection"].tolist() == ["exclude", *["auto"] * 5]
    assert before["selection"].tolist() == ["auto"] * 6
    session.select(Selection.AUTO, names=["a"])


def test_a_choice_for_many_is_taken_back(session: Session) -> None:
    change = session.select("exclude", "status:processed", by="a script")
    assert change.changed == 5
    assert {movie.name for movie in session.items("selection:exclude")} == set(NAMES) - {"bad"}
    assert session.undo(change).changed == 5
    assert not list(session.items("selection:exclude"))


def test_failed_movies_are_tried_again(session: Session) -> None:
    assert session.retry(kind=FailureKind.RESOURCE).retried == 0
    assert session.retry("status:failed", "name:nothing").retried == 0
    assert session.retry("status:failed", "name:b*").retried == 1
    status = session.wait_until_done(timeout_s=LONGEST_S, interval_s=0.05)
    assert status.counts[MovieStatus.FAILED] == 1


def test_settings_are_previewed_and_changed(session: Session) -> None:
    assert session.preview_settings({"filter": {"defocus_max": 1.0}}).rejected == 5
    assert session.settings()["filter"]["defocus_max"] == 5
    assert session.change_settings({"filter": {"defocus_max": 4.0}})["filter"]["defocus_max"] == 4


def test_a_refusal_is_one_line_with_the_bad_values(session: Session) -> None:
    with pytest.raises(ApiError, match=r"ctf\.voltage") as refused:
        session.change_settings({"ctf": {"voltage": -1}})
    assert refused.value.status == 422
    assert [fault["name"] for fault in refused.value.errors] == ["ctf.voltage"]
    with pytest.raises(ApiError, match="nothing") as unknown:
        session.item("nothing")
    assert unknown.value.status == 404


def test_pictures_data_and_files_of_a_movie(session: Session, tmp_path: Path) -> None:
    name = NAMES[1]
    found = session.pictures(name)
    assert {picture.kind for picture in found.pictures} >= {"thumbnail", "average", "spectrum"}
    assert session.picture(name, "thumbnail", size=16, generation=found.generation).startswith(b"\xff\xd8")
    assert session.curves(name).frequency == [1.0, 2.0]
    assert session.tracks(name).frames == 2
    assert session.picks(name).score == [0.9, 0.2]
    average = next(file for file in found.files if file.path.endswith(".mrc"))
    whole = session.file(name, average.path)
    assert len(whole) == average.bytes
    assert session.file(name, average.path, 208, 211) == whole[208:212]
    assert session.file(name, average.path, average.bytes - 4) == whole[-4:]
    session.download(name, average.path, tmp_path / "a.mrc")
    assert (tmp_path / "a.mrc").read_bytes() == whole
    assert len(list(tmp_path.iterdir())) == 1


def test_processing_is_paused_ordered_and_started(session: Session) -> None:
    assert not session.pause().is_processing
    assert session.set_order("latest").order == "latest"
    assert session.set_order("normal").order == "normal"
    assert session.retry(names=["a", "bad"], force=True).retried == 2
    assert session.process_first("bad").priority > session.item("a").priority
    assert session.set_priority("bad", -3).priority == -3
    assert session.start().is_processing


def test_a_pool_is_shown_and_gets_other_limits(api: Api, session: Session) -> None:
    report = ReportPool("gpu", "slurm", 0, 4, 3, 1, 2, 5, problems=["QOS limit"])
    api.control.request(report)
    (pool,) = session.pools()
    assert (pool.name, pool.maximum, pool.problems) == ("gpu", 4, ["QOS limit"])
    assert session.set_pool("gpu", maximum=8, by="ada").maximum == 8
    assert session.audit(action="pool").entries[0].by == "ada"
    assert session.set_pool("gpu", resume=True).minimum == 0
    api.control.request(replace(report, ends=True))
    assert session.pools() == []


def test_a_movie_is_tried_with_other_settings_and_the_try_deleted(
    session: Session, wait_until: Callable[..., None]
) -> None:
    attempt = session.start_try("a", {"ctf": {"range_max": 5.0}}, by="ada")
    assert [one.id for one in session.tries("a")] == [attempt.id]
    assert session.try_(attempt.id).settings == {"ctf": {"range_max": 5.0}}
    wait_until(lambda: session.try_(attempt.id).state in ("done", "failed"))
    assert session.delete_try(attempt.id).id == attempt.id
    assert session.tries() == []


def test_movies_are_exported_and_the_job_deleted(session: Session, wait_until: Callable[..., None]) -> None:
    job = session.start_export("micrographs", {"halves": True}, names=["a"])
    assert (job.total, job.options) == (1, {"halves": True})
    wait_until(lambda: session.export(job.job).state == "done")
    assert [one.job for one in session.exports("done")] == [job.job]
    assert session.delete_export(job.job).job == job.job


def test_settings_are_kept_under_a_name_and_their_history_is_told(session: Session) -> None:
    session.change_settings({"alarms": {"window": 30}}, by="ada")
    kept = session.keep_profile("high dose", by="ada")
    assert [one.name for one in session.profiles()] == ["high dose"]
    assert session.replace_settings(session.profile("high dose").settings or {}, by="eve")["alarms"]["window"] == 30
    assert "ada" in [one.by for one in session.settings_history(limit=5)]
    assert session.forget_profile("high dose").name == kept.name
    assert "ctf" in session.settings_schema()["properties"]


def test_what_else_there_is_to_see(session: Session, tmp_path: Path) -> None:
    assert session.summary().counts[MovieStatus.FAILED] == 1
    assert session.timestamp().seq > 0
    assert sum(group.movies for group in session.groups("status")) == len(MOVIES)
    assert session.log("a")["name"] == "a"
    assert session.hand_picks("a").former == 0
    assert session.undoable().changes is not None
    assert session.worker_log("host/1").lines is not None
    assert [disk.directory for disk in session.disk()] == ["data", "processing"]
    assert session.signed_in().is_open
    assert session.sessions().name == ""
    assert session.suggestion()["state"] == session.training()["state"] == "none"
    with pytest.raises(ApiError, match="no movie has a stage position"):
        session.map(width=200, height=200)
    for file in session.session_files():
        session.download_session_file(file.name, tmp_path / file.name)
        assert (tmp_path / file.name).stat().st_size == file.bytes


def test_a_movie_that_has_not_failed_is_not_forgotten(session: Session) -> None:
    assert session.forget(names=["a"]).refused[0].name == "a"


def test_waiting_ends_in_time(session: Session) -> None:
    with pytest.raises(TimeoutError, match="0 of 6 movies are left"):
        session.wait_until_done(movies=7, timeout_s=0.1, interval_s=0.05)


def test_where_nobody_answers_one_line_says_so(free_ports: Callable[[int], list[int]]) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(UnreachableError, match=f"no API answers at {url}"):
        Session(url).status()
    with pytest.raises(TimeoutError, match="no API answers"):
        Session(url).wait_until_done(timeout_s=0.1, interval_s=0.05)


def movies_of(stream: Iterator[Event], count: int) -> list[tuple[str, str]]:
    """Name and selection of the movies of the next so many events of movies."""
    movies = (event.movie for event in stream)
    return list(islice(((movie.name, movie.selection) for movie in movies if movie is not None), count))


def test_events_bring_each_change_once_and_in_order(session: Session) -> None:
    stream = session.events("movie")
    assert next(stream).topic == "hello"
    for selection in (Selection.INCLUDE, Selection.EXCLUDE, Selection.AUTO):
        session.select(selection, names=["a"])
    assert movies_of(stream, 3) == [("a", "include"), ("a", "exclude"), ("a", "auto")]


def test_a_stream_resumes_after_its_last_event(session: Session) -> None:
    last = next(session.events("movie")).id
    session.select(Selection.INCLUDE, names=["a"])
    session.select(Selection.AUTO, names=["a"])
    again = session.events("movie", last_id=last)
    assert next(again).data["resumed"]
    assert movies_of(again, 2) == [("a", "include"), ("a", "auto")]


def test_a_stream_goes_on_over_a_restart_of_the_api(api: Api, session: Session) -> None:
    stream = session.events("movie", patience_s=LONGEST_S)
    next(stream)
    session.select(Selection.INCLUDE, names=["a"])
    assert movies_of(stream, 1) == [("a", "include")]
    api.server.terminate()
    api.server.wait(LONGEST_S)
    api.control.request(SelectItem("a", Selection.EXCLUDE))
    api.restart_server()
    assert movies_of(stream, 1) == [("a", "exclude")]


def test_a_stream_gives_up_when_nobody_answers_for_long(free_ports: Callable[[int], list[int]]) -> None:
    with pytest.raises(UnreachableError):
        next(Session(f"http://127.0.0.1:{free_ports(1)[0]}").events(patience_s=0))


def test_the_command_writes_the_report(session: Session, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "warpcore.cli.main", "report", "--url", session.url]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "warpcore_report.html" in done.stderr
    assert "data:image/jpeg;base64," in (tmp_path / "warpcore_report.html").read_text()


def test_the_command_says_where_nobody_answers(free_ports: Callable[[int], list[int]], tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    command = [sys.executable, "-m", "warpcore.cli.main", "report", "--url", url]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 3
    assert done.stderr == f"warpcore: no API answers at {url}: Connection refused\n"
    assert not list(tmp_path.iterdir())
