"""The discoverer's decisions: when a file is whole, known, replaced, gone; without files or clocks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warpcore.bus.messages import FoundFile
from warpcore.services.discoverer.examining import Examined
from warpcore.services.discoverer.incubation import Incubation
from warpcore.services.discoverer.listing import Identity, Listing
from warpcore.services.discoverer.not_taken import Notice

OLD = (1000, 1)
"""An identity with an mtime of 1970: a copied file may carry any."""


def topics(notices: list[Notice]) -> list[tuple[str, str]]:
    return [(notice.topic, notice.path) for notice in notices]


def incubated(path: str = "a.tif", identity: Identity = OLD) -> Incubation:
    """An incubation that has seen one file for a second and gives it out for examination."""
    incubation = Incubation(1.0)
    incubation.listed(Listing({path: identity}), 0.0)
    assert incubation.due(0.99, 10) == []
    assert incubation.due(1.0, 10) == [path]
    assert incubation.due(1.0, 10) == []
    return incubation


def test_a_stable_whole_file_is_seen_incubated_ready_registered_once() -> None:
    incubation = Incubation(1.0)
    listing = Listing({"a.tif": OLD})
    assert topics(incubation.listed(listing, 0.0)) == [("file.seen", "a.tif"), ("file.incubating", "a.tif")]
    assert incubation.listed(listing, 0.5) == []
    assert incubation.due(1.0, 10) == ["a.tif"]
    assert topics(incubation.examined("a.tif", Examined(OLD), 1.0)) == [("file.ready", "a.tif")]
    assert incubation.ready.batch() == [FoundFile("a.tif", *OLD)]
    assert incubation.listed(listing, 1.2) == []
    incubation.acknowledged(incubation.ready.batch())
    assert incubation.ready.batch() == []
    assert incubation.listed(listing, 2.0) == []
    assert incubation.due(99.0, 10) == []


def test_a_file_that_is_registered_is_told_with_the_time_since_it_was_seen_first() -> None:
    """However often it changes meanwhile, also while it waits for the scheduler."""
    incubation = Incubation(1.0)
    incubation.listed(Listing({"a.tif": OLD, "b.tif": OLD}), 10.0)
    incubation.looked({"b.tif": (2000, 2)}, 11.0)
    assert incubation.due(12.0, 10) == ["a.tif", "b.tif"]
    for path, identity in (("a.tif", OLD), ("b.tif", (2000, 2))):
        incubation.examined(path, Examined(identity), 12.0)
    assert incubation.ready.seen_s(incubation.ready.batch(), 14.5) == [4.5, 4.5]
    incubation.looked({"a.tif": (3000, 3)}, 15.0)
    assert incubation.due(16.0, 10) == ["a.tif"]
    incubation.examined("a.tif", Examined((3000, 3)), 16.0)
    later = incubation.ready.batch()
    assert [file.path for file in later] == ["b.tif", "a.tif"]
    assert incubation.ready.seen_s(later, 20.0) == [10.0, 10.0]


def test_an_old_mtime_does_not_spare_a_file_the_incubation() -> None:
    assert incubated(identity=(10, -5)).ready.batch() == []


@pytest.mark.parametrize("changed", [(1001, 1), (1000, 2)], ids=["size", "mtime"])
@pytest.mark.parametrize("noticed", ["scan", "look", "examination"])
def test_any_change_of_size_or_mtime_begins_the_time_anew(changed: Identity, noticed: str) -> None:
    incubation = Incubation(1.0)
    incubation.listed(Listing({"a.tif": OLD}), 0.0)
    if noticed == "scan":
        incubation.listed(Listing({"a.tif": changed}), 0.9)
        at = 0.9
    elif noticed == "look":
        incubation.looked({"a.tif": changed}, 0.9)
        at = 0.9
    else:
        assert incubation.due(1.0, 10) == ["a.tif"]
        incubation.examined("a.tif", Examined(changed), 1.1)
        at = 1.1
    assert incubation.due(at + 0.99, 10) == []
    assert incubation.due(at + 1.01, 10) == ["a.tif"]
    incubation.examined("a.tif", Examined(changed), at + 1.01)
    assert incubation.ready.batch() == [FoundFile("a.tif", *changed)]


def test_a_change_during_a_long_examination_is_not_overlooked() -> None:
    incubation = incubated()
    incubation.listed(Listing({"a.tif": (2000, 2)}), 5.0)
    incubation.examined("a.tif", Examined((2000, 2)), 9.0)
    assert incubation.ready.batch() == []
    assert incubation.due(9.0, 10) == ["a.tif"]
    incubation.examined("a.tif", Examined((2000, 2)), 9.1)
    assert incubation.ready.batch() == [FoundFile("a.tif", 2000, 2)]


def test_a_broken_container_incubates_on_until_given_up_then_it_is_registered_all_the_same() -> None:
    incubation = incubated()
    broken = Examined(OLD, fault="is truncated")
    assert incubation.examined("a.tif", broken, 1.0) == [Notice("file.incubating", "a.tif", "is truncated")]
    now, looks = 1.0, 0
    while not incubation.ready.batch():
        now += 0.25
        for path in incubation.due(now, 10):
            looks += 1
            incubation.examined(path, broken, now)
    assert now == 30.0
    assert looks < 12
    assert incubation.ready.batch() == [FoundFile("a.tif", *OLD)]


def test_a_long_incubation_also_gives_up_later() -> None:
    assert Incubation(10.0, 30.0).give_up_s == 100.0


def test_a_broken_file_that_grows_again_has_its_whole_time_again() -> None:
    incubation = incubated()
    incubation.examined("a.tif", Examined(OLD, fault="is truncated"), 1.0)
    incubation.listed(Listing({"a.tif": (5000, 9)}), 29.9)
    [path] = incubation.due(31.0, 10)
    incubation.examined(path, Examined((5000, 9), fault="is truncated"), 31.0)
    assert incubation.ready.batch() == []


def test_what_is_registered_already_is_neither_looked_into_nor_offered() -> None:
    incubation = Incubation(1.0)
    incubation.learn([FoundFile("a.tif", *OLD)])
    assert incubation.listed(Listing({"a.tif": OLD}), 0.0) == []
    assert incubation.due(99.0, 10) == []


@pytest.mark.parametrize("stage", ["known", "ready"])
def test_a_file_replaced_in_place_is_incubated_and_registered_again(stage: str) -> None:
    incubation = incubated()
    incubation.examined("a.tif", Examined(OLD), 1.0)
    if stage == "known":
        incubation.acknowledged(incubation.ready.batch())
    new = (2000, 2)
    notices = incubation.listed(Listing({"a.tif": new}), 10.0)
    assert topics(notices) == [("file.seen", "a.tif"), ("file.incubating", "a.tif")]
    assert incubation.ready.batch() == []
    assert incubation.due(11.0, 10) == ["a.tif"]
    incubation.examined("a.tif", Examined(new), 11.0)
    assert incubation.ready.batch() == [FoundFile("a.tif", *new)]


def test_an_acknowledgement_of_the_older_file_does_not_settle_the_newer() -> None:
    incubation = incubated()
    incubation.examined("a.tif", Examined(OLD), 1.0)
    under_way = incubation.ready.batch()
    incubation.listed(Listing({"a.tif": (2000, 2)}), 1.1)
    incubation.acknowledged(under_way)
    [path] = incubation.due(2.2, 10)
    incubation.examined(path, Examined((2000, 2)), 2.2)
    assert incubation.ready.batch() == [FoundFile("a.tif", 2000, 2)]


def test_a_change_that_is_undone_leaves_the_registered_file_alone() -> None:
    incubation = Incubation(1.0)
    incubation.learn([FoundFile("a.tif", *OLD)])
    incubation.listed(Listing({"a.tif": (2000, 2)}), 0.0)
    incubation.listed(Listing({"a.tif": OLD}), 0.5)
    assert incubation.due(99.0, 10) == []


@pytest.mark.parametrize("stage", ["incubating", "examining", "ready", "registered"])
def test_a_file_that_vanishes_is_told_once_and_not_registered(stage: str) -> None:
    incubation = Incubation(1.0)
    incubation.listed(Listing({"a.tif": OLD}), 0.0)
    if stage != "incubating":
        incubation.due(1.0, 10)
    if stage in ("ready", "registered"):
        incubation.examined("a.tif", Examined(OLD), 1.0)
    if stage == "registered":
        incubation.acknowledged(incubation.ready.batch())
    gone = [("file.vanished", "a.tif")]
    if stage == "examining":
        assert topics(incubation.examined("a.tif", Examined(None), 1.0)) == gone
    else:
        assert topics(incubation.listed(Listing(), 2.0)) == gone
    assert incubation.listed(Listing(), 4.0) == []
    assert incubation.ready.batch() == []
    back = incubation.listed(Listing({"a.tif": OLD}), 6.0)
    assert topics(back) == ([] if stage == "registered" else [("file.seen", "a.tif"), ("file.incubating", "a.tif")])


def test_a_look_tells_of_a_vanished_file_before_the_scan_and_the_scan_not_again() -> None:
    incubation = Incubation(1.0)
    incubation.listed(Listing({"a.tif": OLD}), 0.0)
    assert topics(incubation.looked({"a.tif": None, "b.tif": None}, 0.5)) == [("file.vanished", "a.tif")]
    assert incubation.listed(Listing(), 1.0) == []


@pytest.mark.parametrize("folder", [".", "grid1", "grid1/deep"])
def test_an_unreadable_folder_is_told_once_and_its_files_have_not_vanished(folder: str) -> None:
    incubation = Incubation(1.0)
    path = "grid1/deep/a.tif"
    incubation.listed(Listing({path: OLD}), 0.0)
    hidden = Listing({}, {folder: "Permission denied"})
    assert incubation.listed(hidden, 0.5) == [Notice("file.unreadable", folder, "Permission denied")]
    assert incubation.listed(hidden, 0.6) == []
    assert incubation.listed(Listing({path: OLD}), 0.7) == []
    assert incubation.listed(hidden, 0.8) == [Notice("file.unreadable", folder, "Permission denied")]


def test_an_unreadable_file_is_told_once_and_tried_until_it_can_be_read() -> None:
    incubation = incubated()
    locked = Examined(None, unreadable="Permission denied")
    assert incubation.examined("a.tif", locked, 1.0) == [Notice("file.unreadable", "a.tif", "Permission denied")]
    now = 1.0
    for _ in range(400):
        now += 0.25
        assert incubation.listed(Listing({"a.tif": OLD}), now) == []
        for path in incubation.due(now, 10):
            assert incubation.examined(path, locked, now) == []
    assert incubation.ready.batch() == []
    [path] = incubation.due(now + 5.0, 10)
    assert topics(incubation.examined(path, Examined(OLD), now + 5.0)) == [("file.ready", "a.tif")]


def test_equal_names_in_sub_folders_are_different_files() -> None:
    incubation = Incubation(1.0)
    incubation.listed(Listing({"a/m.tif": OLD, "b/m.tif": OLD}), 0.0)
    for path in incubation.due(1.0, 10):
        incubation.examined(path, Examined(OLD), 1.0)
    assert {file.path for file in incubation.ready.batch()} == {"a/m.tif", "b/m.tif"}


def test_files_are_taken_in_the_order_of_their_times() -> None:
    incubation = Incubation(1.0)
    incubation.listed(Listing({"c": (1, 30), "a": (1, 20), "b": (1, 10)}), 0.0)
    for path in incubation.due(1.0, 10):
        incubation.examined(path, Examined((1, {"c": 30, "a": 20, "b": 10}[path])), 1.0)
    assert sorted(file.path for file in incubation.ready.batch()) == ["a", "b", "c"]
    assert [notice.path for notice in Incubation().listed(Listing({"c": (1, 30), "a": (1, 20)}), 0)][::2] == ["a", "c"]


def test_batches_are_bounded_in_number_and_bytes() -> None:
    incubation = Incubation(0.0)
    names = {f"{number:05d}{'x' * (number % 3000)}": (1, number) for number in range(5000)}
    incubation.listed(Listing(names), 0.0)
    for path in incubation.due(0.0, 10_000):
        incubation.examined(path, Examined(names[path]), 0.0)
    taken: list[str] = []
    while files := incubation.ready.batch():
        assert len(files) <= 2000
        assert sum(len(file.path) + 50 for file in files) <= 800_000
        taken += [file.path for file in files]
        incubation.acknowledged(files)
    assert sorted(taken) == sorted(names)


def test_a_refused_file_is_told_and_offered_again_only_when_it_changes() -> None:
    incubation = incubated()
    incubation.examined("a.tif", Examined(OLD), 1.0)
    [file] = incubation.ready.batch()
    assert topics(incubation.refused(file, "no such thing")) == [("file.unreadable", "a.tif")]
    assert incubation.listed(Listing({"a.tif": OLD}), 2.0) == []
    assert incubation.due(99.0, 10) == incubation.ready.batch() == []
    assert topics(incubation.listed(Listing({"a.tif": (2, 2)}), 3.0))[0] == ("file.seen", "a.tif")


def test_names_that_count_no_longer_are_dropped_without_a_word() -> None:
    incubation = Incubation(1.0)
    incubation.listed(Listing({"a.tif": OLD, "b.mrc": OLD}), 0.0)
    incubation.narrow(lambda path: path.endswith(".tif"))
    assert incubation.listed(Listing({"a.tif": OLD}), 0.5) == []
    assert incubation.due(1.0, 10) == ["a.tif"]


def test_another_scheduler_is_offered_all_files_that_it_does_not_know() -> None:
    incubation = Incubation(1.0)
    incubation.learn([FoundFile("a.tif", *OLD), FoundFile("b.tif", *OLD)])
    incubation.forget()
    incubation.learn([FoundFile("b.tif", *OLD)])
    assert topics(incubation.listed(Listing({"a.tif": OLD, "b.tif": OLD}), 0.0))[0] == ("file.seen", "a.tif")


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["write", "touch", "remove", "finish", "scan", "look", "examine", "acknowledge", "hide"]),
        st.sampled_from("abc"),
        st.floats(0.0, 2.0, width=32),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(STEPS)
def test_whatever_happens_each_final_file_is_registered_once_and_none_before_it_was_stable(
    steps: list[tuple[str, str, float]],
) -> None:
    incubation, now = Incubation(1.0, 30.0), 0.0
    disk: dict[str, Identity] = {}
    changed_at: dict[str, float] = {}
    unfinished: set[str] = set()
    registered: dict[str, list[Identity]] = {"a": [], "b": [], "c": []}
    under_way: list[tuple[str, float]] = []

    def examine_due() -> None:
        for path, _ in under_way:
            fault = "is truncated" if path in unfinished else ""
            notices = incubation.examined(path, Examined(disk.get(path), fault), now)
            if any(notice.topic == "file.ready" for notice in notices):
                assert now - changed_at[path] >= (30.0 if path in unfinished else 1.0) - 1e-6
        under_way[:] = [(path, now) for path in incubation.due(now, 10)]

    def acknowledge() -> None:
        files = incubation.ready.batch()
        for file in files:
            registered[file.path].append((file.size, file.mtime_ns))
        incubation.acknowledged(files)

    for counter, (step, path, passes) in enumerate(steps, start=1):
        now += passes
        if step in ("write", "touch"):
            size = disk.get(path, (0, 0))[0] + (step == "write")
            disk[path] = (size, counter)
            changed_at[path] = now
            unfinished.add(path)
        elif step == "remove":
            disk.pop(path, None)
        elif step == "finish":
            unfinished.discard(path)
            if path in disk:
                disk[path], changed_at[path] = (disk[path][0] + 1, counter), now
        elif step == "scan":
            incubation.listed(Listing(dict(disk)), now)
        elif step == "hide":
            incubation.listed(Listing({}, {".": "gone"}), now)
        elif step == "look":
            incubation.looked({path: disk.get(path)}, now)
        elif step == "examine":
            examine_due()
        else:
            acknowledge()
    for _ in range(120):
        now += 0.5
        incubation.listed(Listing(dict(disk)), now)
        examine_due()
        acknowledge()
    for path, identities in registered.items():
        assert len(identities) == len(set(identities))
        if path in disk:
            assert identities[-1] == disk[path]
    assert incubation.incubating == incubation.waiting == 0


def test_while_the_data_directory_is_away_no_file_counts_as_gone() -> None:
    incubation = Incubation(1.0)
    incubation.listed(Listing({"a.tif": (10, 5), "b.tif": (10, 6)}), 0.0)
    assert incubation.due(1.0, 10) == ["a.tif", "b.tif"]
    incubation.away = "data directory /d is away: it is empty"
    assert incubation.warnings == [incubation.away]
    assert incubation.listed(Listing(away="it is empty"), 2.0) == [Notice("file.unreadable", ".", "it is empty")]
    assert incubation.looked({"a.tif": None}, 2.0) == []
    assert incubation.examined("a.tif", Examined(None), 2.0) == []
    assert incubation.examined("b.tif", Examined(None, unreadable="Input/output error"), 2.0) == []
    assert incubation.due(100.0, 10) == []
    incubation.away = ""
    assert incubation.warnings == []
    assert incubation.due(100.0, 10) == ["a.tif", "b.tif"]
    assert incubation.examined("a.tif", Examined((10, 5)), 100.0) == [Notice("file.ready", "a.tif")]


def test_what_is_not_taken_is_a_warning_as_long_as_it_is_there() -> None:
    incubation = Incubation(1.0)
    refused = {f"a#{number}.tif": "its name has a #; rename it" for number in range(5)}
    incubation.listed(Listing(unreadable={"a#0.tif": refused["a#0.tif"]}), 0.0)
    assert incubation.warnings == ["not taken: a#0.tif: its name has a #; rename it"]
    incubation.listed(Listing(unreadable=refused), 1.0)
    assert len(incubation.warnings) == 4
    assert incubation.warnings[-1].startswith("2 more")
    incubation.listed(Listing(), 2.0)
    assert incubation.warnings == []
