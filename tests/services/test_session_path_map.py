"""A host that mounts folders elsewhere finds what the scheduler names, and no two files at one path."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from warpcore.services.session.path_map import PathMap, PathMapError

NAMES = st.sampled_from(["a", "b", "ab", "c c", "ä"])
FOLDERS = st.lists(NAMES, max_size=3).map(lambda parts: "/" + "/".join(parts))


@pytest.mark.parametrize(
    ("texts", "path", "here"),
    [
        (["/data=/mnt/krios"], "/data/grid1/a.tif", "/mnt/krios/grid1/a.tif"),
        (["/data=/mnt/krios"], "/data", "/mnt/krios"),
        (["/data=/mnt/krios"], "/database/a.tif", "/database/a.tif"),
        (["/data/=/mnt//krios/."], "//data/./x/../a.tif", "/mnt/krios/a.tif"),
        (["/data=/x", "/data/fast=/ssd"], "/data/fast/a", "/ssd/a"),
        (["/data/fast=/ssd", "/data=/x"], "/data/faster/a", "/x/faster/a"),
        (["/a=/b", "/b=/a"], "/a/b/c", "/b/b/c"),
        (["/=/host"], "/data/a.tif", "/host/data/a.tif"),
        (["/host=/"], "/host/data/a.tif", "/data/a.tif"),
        (["/data=/x"], "relative/data", "relative/data"),
        (["/data=/x"], "", ""),
        ([], "//data/./a", "//data/./a"),
    ],
)
def test_the_longest_folder_that_holds_a_path_decides(texts: list[str], path: str, here: str) -> None:
    assert PathMap.of(texts).here(path) == here


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["/data"], "with one ="),
        (["/a=/b=/c"], "with one ="),
        (["=/b"], "two absolute paths"),
        (["data=/b"], "two absolute paths without .., not 'data'"),
        (["/data=mnt/x"], "not 'mnt/x'"),
        (["/data=/mnt/../etc"], "not '/mnt/../etc'"),
        (["/data/../etc=/mnt"], "not '/data/../etc'"),
        (["/data=/a\0"], "with one ="),
        (["/data=/a", "/data/=/b"], "/data is said to be both /a and /b"),
        (["/data=/x", "/results=/x"], "/data and /results would both be /x"),
        (["/data=/x", "/results=/x/results"], "/results and /data/results would both be /x/results"),
    ],
)
def test_a_map_that_is_malformed_relative_or_ambiguous_is_refused(texts: list[str], said: str) -> None:
    with pytest.raises(PathMapError) as refused:
        PathMap.of(texts)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "texts",
    [
        ["/data=/x", "/data=/x"],
        ["/data=/x", "/data/grid=/x/grid"],
        ["/data=/x", "/data/results=/y", "/results=/x/results"],
    ],
)
def test_folders_that_overlap_without_doubt_are_taken(texts: list[str]) -> None:
    PathMap.of(texts)


@given(st.lists(st.tuples(FOLDERS, FOLDERS), min_size=1, max_size=4), st.data())
def test_a_path_that_is_mapped_comes_back_by_the_map_turned_round(
    pairs: list[tuple[str, str]], data: st.DataObject
) -> None:
    try:
        found = PathMap.of(f"{there}={here}" for there, here in pairs)
    except PathMapError:
        assume(False)
    there, _ = data.draw(st.sampled_from(pairs))
    path = str(data.draw(FOLDERS) if there == "/" else there + data.draw(FOLDERS)).rstrip("/") or "/"
    back = PathMap(tuple((here, there) for there, here in found.pairs))
    assert back.here(found.here(path)) == path
    assert PathMap.of(found.texts()) == found
