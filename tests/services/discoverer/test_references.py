"""References among the movies: named by settings or looking like one, they are told once and never registered."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.services.discoverer.peer import Peer, Registry, Running
from warpcore.bus.endpoints import Endpoints
from warpcore.bus.messages import FoundFile
from warpcore.services.discoverer.examining import Examined
from warpcore.services.discoverer.incubation import Incubation
from warpcore.services.discoverer.judging import Kind, NotTaken
from warpcore.services.discoverer.listing import Identity, Listing, Watched, list_files, look_at
from warpcore.services.discoverer.not_taken import Notice
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.session.named_files import NamedFiles, named_files
from warpcore.services.session.settings import Settings, parse_settings

OLD, NEW = (10, 1), (11, 2)


def told(notices: list[Notice]) -> list[str]:
    return [notice.detail for notice in notices if notice.topic == "file.reference"]


def not_taken(reason: str, kind: Kind = Kind.REFERENCE) -> NotTaken | None:
    return NotTaken(kind, reason) if reason else None


def judge(incubation: Incubation, now: float, reference: str, identity: Identity = OLD) -> list[Notice]:
    """Scan, wait, look into what is due."""
    notices = incubation.listed(Listing({"gain.mrc": identity}), now)
    for path in incubation.due(now + 1, 10):
        notices += incubation.examined(path, Examined(identity, no_movie=not_taken(reference)), now + 1)
    return notices


def test_what_looks_like_a_reference_is_told_once_and_not_registered() -> None:
    incubation = Incubation(1.0)
    (text,) = told(judge(incubation, 0.0, "one frame"))
    assert text == (
        "looks like a reference, not taken: gain.mrc (one frame); if it is a movie, add 'gain.mrc' to import.patterns"
    )
    assert incubation.warnings == [text]
    assert judge(incubation, 2.0, "one frame") == []
    assert incubation.ready.batch() == []
    assert incubation.incubating == incubation.waiting == 0


def test_it_is_judged_again_when_it_or_the_patterns_change() -> None:
    incubation = Incubation(1.0)
    judge(incubation, 0.0, "one frame")
    incubation.narrow(lambda path: True)
    assert told(judge(incubation, 2.0, "one frame")) == []  # the same judgement is not told twice
    incubation.narrow(lambda path: True)
    assert told(judge(incubation, 4.0, "")) == []
    assert incubation.ready.batch() == [FoundFile("gain.mrc", *OLD)]
    assert incubation.warnings == []
    incubation.acknowledged(incubation.ready.batch())
    assert len(told(judge(incubation, 6.0, "one frame", NEW))) == 1
    assert incubation.ready.batch() == []


def test_one_that_goes_or_is_named_is_a_warning_no_more() -> None:
    for listing, topics in ((Listing({}), ["file.vanished"]), (Listing({}, named={"gain.mrc"}), [])):
        incubation = Incubation(1.0)
        judge(incubation, 0.0, "one frame")
        assert [notice.topic for notice in incubation.listed(listing, 2.0)] == topics
        assert incubation.warnings == []


def test_one_that_goes_while_the_patterns_change_is_a_warning_no_more() -> None:
    incubation = Incubation(1.0)
    judge(incubation, 0.0, "one frame")
    incubation.narrow(lambda path: True)
    incubation.listed(Listing({}), 2.0)
    assert incubation.warnings == []


def test_many_are_one_warning() -> None:
    incubation = Incubation(0.0)
    listing = Listing({f"ref_{number:03d}.mrc": OLD for number in range(100)})
    incubation.listed(listing, 0.0)
    for path in incubation.due(0.0, 1000):
        incubation.examined(path, Examined(OLD, no_movie=not_taken("one frame")), 0.0)
    (text,) = incubation.warnings
    assert text.startswith("100 files look like references, not taken: ref_000.mrc, ref_001.mrc, ref_002.mrc, …")


def test_averages_and_overview_images_are_told_once_however_many_there_are() -> None:
    """Their line does not change as more come, and is no alarm: every session of EPU has them."""
    incubation = Incubation(0.0)
    files = {f"{kind.name.lower()}_{n:03d}.mrc": OLD for n in range(50) for kind in (Kind.AVERAGE, Kind.OVERVIEW)}
    incubation.listed(Listing(files), 0.0)
    notices, seen = [], set()
    for path in incubation.due(0.0, 1000):
        kind = Kind.AVERAGE if path.startswith("average") else Kind.OVERVIEW
        notices += incubation.examined(path, Examined(OLD, no_movie=not_taken("one frame", kind)), 0.0)
        seen.add(tuple(incubation.notes))
    assert incubation.warnings == []
    assert incubation.notes == told(notices)
    assert incubation.notes == [
        "averages of movies are not taken: average_000.mrc (one frame); if one is a movie, add its name to "
        "import.patterns",
        "images of atlas, squares and holes are not taken: overview_000.mrc (one frame); if one is a movie, add its "
        "name to import.patterns",
    ]
    assert len(seen) == 2
    assert incubation.ready.batch() == []


def test_a_registered_file_that_a_setting_names_later_stays_registered_and_is_told_once() -> None:
    incubation = Incubation(1.0)
    incubation.learn([FoundFile("grid/gain.mrc", *OLD)])
    named = Listing({}, named={"grid/gain.mrc"})
    (text,) = told(incubation.listed(named, 0.0))
    assert text.endswith("to take it out: warpcore select exclude grid/gain")
    assert incubation.listed(named, 1.0) == []
    # Named no more, it is what it was: known.
    assert incubation.listed(Listing({"grid/gain.mrc": OLD}), 2.0) == []


def test_a_file_that_becomes_named_while_it_incubates_or_waits_is_dropped_without_a_word() -> None:
    for ready in (False, True):
        incubation = Incubation(1.0)
        judge(incubation, 0.0, "") if ready else incubation.listed(Listing({"gain.mrc": OLD}), 0.0)
        assert incubation.listed(Listing({}, named={"gain.mrc"}), 2.0) == []
        assert incubation.due(99.0, 10) == []
        assert incubation.ready.batch() == []


def test_all_settings_that_are_files_are_known() -> None:
    assert named_files(Settings().to_dict()) == ()
    files = {"import": {"gain_path": "g", "defects_path": "d"}, "picking": {"templates_path": "t", "weights_path": "w"}}
    assert sorted(map(str, named_files(parse_settings(files).to_dict()))) == ["d", "g", "t", "w"]
    # What travels may be anything.
    assert named_files({"import": 3, "picking": {"templates_path": 4, "unknown": "x"}}) == ()


def test_named_files_are_told_through_links_and_while_they_cannot_be_asked(tmp_path: Path) -> None:
    (tmp_path / "real.mrc").touch()
    (tmp_path / "link.mrc").symlink_to(tmp_path / "real.mrc")
    (tmp_path / "other.mrc").touch()
    named = NamedFiles([tmp_path / "link.mrc", tmp_path / "later.mrc"])
    assert named.hold(tmp_path / "real.mrc", (tmp_path / "real.mrc").stat())
    assert not named.hold(tmp_path / "other.mrc", (tmp_path / "other.mrc").stat())
    (tmp_path / "later.mrc").touch()
    assert named.hold(tmp_path / "later.mrc", (tmp_path / "later.mrc").stat())


def test_scans_and_looks_leave_named_files_out(tmp_path: Path) -> None:
    (tmp_path / "gain.mrc").write_bytes(b"gain")
    (tmp_path / "link.mrc").symlink_to(tmp_path / "gain.mrc")
    (tmp_path / "a.mrc").write_bytes(b"movie")
    watched = Watched(("*.mrc",), recursive=False, named=(tmp_path / "gain.mrc",))
    listing = list_files(tmp_path, watched)
    assert (set(listing.files), listing.named) == ({"a.mrc"}, {"gain.mrc", "link.mrc"})
    assert set(look_at(tmp_path, ["a.mrc", "gain.mrc", "link.mrc", "gone.mrc"], watched)) == {"a.mrc", "gone.mrc"}


@pytest.mark.parametrize("watch", [True, False], ids=["watching", "scan alone"])
def test_a_gain_beside_movies_becomes_a_movie_only_when_it_is_asked_for(
    endpoints: Endpoints,
    registry: Registry,
    peer: Peer,
    data: Path,
    movie: Path,
    watch: bool,
    wait_until: Callable[..., None],
) -> None:
    write_mrc(data / "gain.mrc", np.ones((32, 32), np.float32), 1.0)
    write_mrc(data / "named.mrc", np.ones((32, 32), np.float32), 1.0)
    registry.set(gain_path=str(data / "named.mrc"))
    with Running(endpoints, data, watch=watch):
        wait_until(lambda: peer.told("file.reference") == ["gain.mrc"], what="told")
        shutil.copyfile(movie, data / "a.tif")
        wait_until(lambda: "a.tif" in registry.files, what="the movie")
        assert registry.added == ["a.tif"]
        assert registry.warnings == peer.details("file.reference")
        peer.set(patterns=["*.tif", "*.mrc", "gain.mrc"])
        wait_until(lambda: "gain.mrc" in registry.files, what="the gain that was asked for")
        peer.set(gain_path=str(data / "gain.mrc"))
        wait_until(lambda: len(peer.told("file.reference")) == 3, what="both told")
    # The one is registered and now named; the other is named no more and has the values of a gain.
    assert sorted(peer.told("file.reference")) == ["gain.mrc", "gain.mrc", "named.mrc"]
    assert sorted(registry.added) == ["a.tif", "gain.mrc"]
