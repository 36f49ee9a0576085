"""The tracker's files on storage that comes and goes."""

from __future__ import annotations

from pathlib import Path

from warpcore.services.tracker.writing import Files


def test_a_list_written_while_a_mount_was_gone_is_written_again_when_it_is_back(tmp_path: Path) -> None:
    directory, mounted, below = tmp_path / "processing", tmp_path / "mounted", tmp_path / "below"
    directory.mkdir()
    files = Files(directory)
    files.write("movies.star", "former")
    directory.rename(mounted)
    directory.mkdir()
    files.write("movies.star", "present")
    directory.rename(below)
    mounted.rename(directory)
    files.write("movies.star", "present")
    assert (directory / "movies.star").read_text() == "present"
    assert files.changed() == []
