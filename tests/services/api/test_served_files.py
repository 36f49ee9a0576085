"""What REST sends of the processing directory: regular files of results, judged before and after they are opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from warpcore.services.api.errors import Problem
from warpcore.services.api.pictures import files
from warpcore.services.api.pictures.files import located, opened, readable


@pytest.fixture
def processing(tmp_path: Path) -> Path:
    folder = tmp_path / "processing"
    for name in ("average", ".warpcore/tries/try-1/average", ".warpcore/access"):
        (folder / name).mkdir(parents=True)
    for name in ("average/a.mrc", ".warpcore/state.db", ".warpcore/tries/try-1/average/a.mrc"):
        (folder / name).write_text(name)
    (folder / ".warpcore/access/server.toml").write_text("secret")
    (tmp_path / "secret").write_text("secret")
    return folder


def test_results_are_sent_and_those_of_a_try_from_its_folder(processing: Path) -> None:
    with opened(processing, "average/a.mrc") as file:
        assert file.read() == b"average/a.mrc"
    with opened(processing / ".warpcore/tries/try-1", "average/a.mrc") as file:
        assert file.read() == b".warpcore/tries/try-1/average/a.mrc"


@pytest.mark.parametrize(
    "path",
    [
        *(".warpcore/state.db", ".warpcore/access/server.toml", "average/../.warpcore/state.db", "../secret"),
        *("/etc/passwd", "average/own.mrc", "average/key.mrc", "average/out.mrc", "average/pipe.mrc", "average", "a\0"),
    ],
)
def test_nothing_else_is(processing: Path, path: str) -> None:
    """Also not through links: to warpcore's own files, or out of the directory."""
    (processing / "average/own.mrc").symlink_to("../.warpcore/state.db")
    (processing / "average/key.mrc").symlink_to("../.warpcore/access/server.toml")
    (processing / "average/out.mrc").symlink_to("../../secret")
    os.mkfifo(processing / "average/pipe.mrc")
    for send in (located, opened):
        with pytest.raises(Problem) as refused:
            send(processing, path)
        assert refused.value.status == "404 Not Found"
    assert readable(processing, path) is None


def test_a_link_that_takes_the_files_place_meanwhile_is_not_followed(
    processing: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def swapped(folder: Path, relative: str) -> Path:
        path = located(folder, relative)
        path.unlink()
        path.symlink_to("../../secret")
        return path

    monkeypatch.setattr(files, "located", swapped)
    with pytest.raises(Problem):
        opened(processing, "average/a.mrc")
