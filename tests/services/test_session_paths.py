"""What a killed writer of lists leaves behind is told from everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from warpcore.services.session.paths import sweep_temporaries, written_whole


def test_only_half_written_files_are_swept(tmp_path: Path) -> None:
    kept = [
        ".warpcore",
        ".hidden.json",
        ".hidden.abcdefgh.star",
        "movie.xml",
        ".a.json.ABCDEFGH.json",
        ".a.json.short.json",
    ]
    for name in kept:
        (tmp_path / name).touch()
    writer = written_whole(tmp_path / "movies.v2.star")
    temporary = writer.__enter__()
    assert sweep_temporaries(tmp_path) == [temporary.name]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(kept)
    with pytest.raises(FileNotFoundError):
        writer.__exit__(None, None, None)
