"""The scheduler and files that somebody has changed or removed meanwhile."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from warpcore.bus.vocabulary import FailureKind
from warpcore.services.scheduler.core.effects import PlaceOutputs, RestoreOutputs
from warpcore.services.scheduler.core.stimuli import OutputsRestored, RestoringFailed
from warpcore.services.scheduler.shell.disk import TryFolders
from warpcore.services.scheduler.shell.placing import Placer
from warpcore.services.scheduler.shell.session import Session
from warpcore.services.session import disk_files
from warpcore.services.session.disk_files import DiskFiles
from warpcore.services.session.generations import Generation
from warpcore.services.session.paths import write_text_whole
from warpcore.services.session.placing import Placement, place
from warpcore.services.session.settings import parse_settings, patch_settings
from warpcore.services.storage.looking import TOKEN


def generation(mark: str) -> Generation:
    return Generation({"motion": mark}, {"motion": {}}, {"motion": ["average/a.mrc"]})


@pytest.mark.parametrize("manifest", ["[]", '{"fingerprints": 1, "results": 2, "outputs": 3}', "no JSON"])
def test_a_record_of_kept_outputs_that_was_changed_stops_no_other_movie(
    tmp_path: Path, manifest: str, wait_until: Callable[..., None]
) -> None:
    (tmp_path / "average").mkdir()
    (tmp_path / "average" / "a.mrc").write_bytes(b"old")
    old = generation("old")
    place(DiskFiles(tmp_path), Placement("a", "1", before=old))
    (tmp_path / "average" / "a.mrc").unlink()  # what is kept is a hard link
    (tmp_path / "average" / "a.mrc").write_bytes(b"new")
    (found,) = tmp_path.rglob("*.json")
    whole = found.read_text()
    write_text_whole(tmp_path / TOKEN, "token")
    placer = Placer(tmp_path, [], 0)
    ended: list[Any] = []

    def restore() -> OutputsRestored:
        placer.begin(RestoreOutputs(1, "a", old.key, generation("new"), "a.tif", 1, 2))
        wait_until(lambda: ended.extend(placer.done()) or ended, what="the movie's end")
        (restored,) = ended
        ended.clear()
        assert isinstance(restored, OutputsRestored)
        return restored

    try:
        found.write_text(manifest)
        assert restore().generation is None
        found.write_text(whole)
        assert restore().generation == old
        assert (tmp_path / "average" / "a.mrc").read_bytes() == b"old"
    finally:
        placer.close()


@pytest.mark.parametrize("fault", ["full", "away"])
def test_kept_outputs_that_storage_does_not_let_be_put_back_wait_for_it(
    tmp_path: Path, fault: str, wait_until: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: str, target: str) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source, None, target)

    if fault == "full":
        (tmp_path / "average").mkdir()
        (tmp_path / "average" / "a.mrc").write_bytes(b"old")
        place(DiskFiles(tmp_path), Placement("a", "1", before=generation("old")))
        monkeypatch.setattr(disk_files.os, "link", refused)
    placer = Placer(tmp_path, [], 0)
    ended: list[Any] = []
    try:
        placer.begin(RestoreOutputs(1, "a", generation("old").key, generation("new"), "a.tif", 1, 2))
        wait_until(lambda: ended.extend(placer.done()) or ended, what="the movie's end")
    finally:
        placer.close()
    (failed,) = ended
    assert isinstance(failed, RestoringFailed)
    assert ("No space left" if fault == "full" else "is away") in failed.text


@pytest.mark.parametrize("mounted", [True, False], ids=["on the worker's host alone", "nowhere"])
def test_outputs_that_a_worker_wrote_while_a_mount_was_gone_blame_the_storage(
    tmp_path: Path, mounted: bool, wait_until: Callable[..., None]
) -> None:
    if mounted:
        write_text_whole(tmp_path / TOKEN, "token")
    placer = Placer(tmp_path, [1], 1)
    ended: list[Any] = []
    try:
        placer.begin(PlaceOutputs(1, 1, Placement("a", "1", staged={"average/a.mrc": ("export.1.mrc", 7)})))
        wait_until(lambda: ended.extend(placer.done()) or ended, what="the movie's end")
    finally:
        placer.close()
    (failed,) = ended
    assert failed.again is not mounted, "it is repeated until the folder is back"
    assert failed.fault is FailureKind.STORAGE_AWAY or failed.again


def test_a_missing_gain_is_told_at_a_start_with_other_settings_too(tmp_path: Path) -> None:
    data, processing, gain = tmp_path / "data", tmp_path / "results", tmp_path / "gain.tif"
    data.mkdir()
    tifffile.imwrite(gain, np.ones((8, 8), np.float32))
    Session(data, processing, settings=parse_settings({"import": {"gain_path": str(gain)}})).close()
    gain.unlink()
    session = Session(data, processing, settings=lambda now: patch_settings(now, {"ctf": {"voltage": 200.0}}))
    session.close()
    assert [text for text in session.warnings if str(gain) in text]


def test_folders_of_forgotten_tries_are_deleted_also_those_of_an_earlier_run(
    tmp_path: Path, wait_until: Callable[..., None]
) -> None:
    tries = tmp_path / ".warpcore/tries"
    for id in ("try-1", "try-2", "try-3"):
        (tries / id / "average").mkdir(parents=True)
        (tries / id / "average/a.mrc").touch()
    folders = TryFolders(tmp_path, ["try-2", "try-3"])
    try:
        wait_until(lambda: sorted(path.name for path in tries.iterdir()) == ["try-2", "try-3"], what="a clean start")
        folders.remove("try-3")
        wait_until(lambda: [path.name for path in tries.iterdir()] == ["try-2"], what="its end")
    finally:
        folders.close()
    assert (tries / "try-2/average/a.mrc").exists()
