"""Outputs as a tar that is made while it is sent."""

from __future__ import annotations

import asyncio
import io
import tarfile
from pathlib import Path

import pytest

from warpcore.services.api.archive import Archive, missing
from warpcore.services.api.errors import Problem

FILES = {
    "particles/job-1/particles.star": b"data_",
    "particles/job-1/particles/a.mrcs": bytes(range(256)) * 2,
    f"particles/job-1/{'long name ' * 12}/ä.mrcs": b"x" * 3_000_001,
    "particles/job-1/empty.star": b"",
}


@pytest.fixture
def processing(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        path = tmp_path / "processing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "processing"


def read(processing: Path) -> bytes:
    async def all_of_it() -> bytes:
        return b"".join([block async for block in Archive(processing, list(FILES))])

    return asyncio.run(all_of_it())


def test_what_is_unpacked_are_the_files_under_their_paths(processing: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(read(processing))) as packed:
        found = {entry.name: packed.extractfile(entry) for entry in packed}
        assert {name: file.read() for name, file in found.items() if file is not None} == FILES
        assert packed.getmember("particles/job-1/empty.star").mtime > 1e9


def test_a_file_that_is_gone_is_named_and_breaks_a_download_off(processing: Path) -> None:
    assert missing(processing, list(FILES)) == ""
    (processing / "particles/job-1/empty.star").unlink()
    assert missing(processing, list(FILES)) == "particles/job-1/empty.star"
    with pytest.raises(FileNotFoundError):
        read(processing)


def test_a_link_out_of_the_processing_directory_is_not_followed(processing: Path) -> None:
    (processing.parent / "secret").write_text("secret")
    (processing / "particles/job-1/empty.star").unlink()
    (processing / "particles/job-1/empty.star").symlink_to(processing.parent / "secret")
    with pytest.raises(Problem):
        missing(processing, list(FILES))


def test_a_client_that_goes_leaves_no_file_open(processing: Path) -> None:
    async def begun() -> None:
        archive = Archive(processing, list(FILES))
        await anext(aiter(archive))
        await archive.close()
        with pytest.raises(StopAsyncIteration):
            await anext(archive)

    asyncio.run(begun())
