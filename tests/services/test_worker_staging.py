"""A task's outputs are written into a folder of its own, and no other."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from warpcore.services.session.declared import UndeclaredError
from warpcore.services.session.disk_files import DiskFiles
from warpcore.services.session.placing import PLACING, folders_of_tasks
from warpcore.services.steps.export import AVERAGE, MOVIE_XML
from warpcore.services.steps.step import Output
from warpcore.services.worker.staging import Staging, sweep_killed, task_folder


def staging(processing: Path, lease: str = "7") -> Staging:
    return Staging(processing, lease, lambda output: output.path("grid/m"))


def left(processing: Path) -> list[str]:
    return sorted(str(path.relative_to(processing)) for path in processing.rglob("*") if path.is_file())


def test_outputs_stand_in_the_folder_of_the_lease_and_are_told_with_their_bytes(tmp_path: Path) -> None:
    task = staging(tmp_path)
    task.place("export", AVERAGE).write_bytes(b"image")
    task.place("export", MOVIE_XML).write_bytes(b"<xml>")
    task.settle()
    assert task.outputs == {"export": {AVERAGE.pattern: 5, MOVIE_XML.pattern: 5}}
    assert left(tmp_path) == [".warpcore/staging/7/export.0.xml", ".warpcore/staging/7/export.1.mrc"]


def test_the_bytes_that_are_in_place_already_are_not_written_again(tmp_path: Path) -> None:
    (tmp_path / "average/grid").mkdir(parents=True)
    (tmp_path / "average/grid/m.mrc").write_bytes(b"image")
    task = staging(tmp_path)
    for output in (AVERAGE, MOVIE_XML):
        task.place("export", output).write_bytes(b"image")
    task.settle()
    assert task.outputs == {"export": {AVERAGE.pattern: None, MOVIE_XML.pattern: 5}}
    assert left(tmp_path) == [".warpcore/staging/7/export.0.xml", "average/grid/m.mrc"]


def test_what_is_discarded_leaves_nothing_and_touches_no_other_task(tmp_path: Path) -> None:
    mine, other = staging(tmp_path), staging(tmp_path, "8")
    for task in (mine, other):
        task.place("export", MOVIE_XML).write_bytes(b"<xml>")
    mine.discard()
    assert left(tmp_path) == [".warpcore/staging/8/export.0.xml"]


def test_folders_of_killed_processes_of_this_host_are_swept_and_no_others(tmp_path: Path) -> None:
    host, mine, ended = socket.gethostname(), task_folder(0), subprocess.Popen(["true"])
    ended.wait()
    kept = [mine, "7", f"other.{ended.pid}.abcd", f"{host}.{os.getpid()}.abcd"]
    for folder in (*kept, f"{host}.{ended.pid}.abcd"):
        staging(tmp_path, folder).place("export", MOVIE_XML)
    (tmp_path / PLACING / f"{host}.{ended.pid}.ef01").mkdir(parents=True)
    sweep_killed(tmp_path)
    assert folders_of_tasks(DiskFiles(tmp_path)) == set(kept)
    assert task_folder(7) == "7"


def test_a_file_that_its_step_does_not_declare_cannot_be_written(tmp_path: Path) -> None:
    for step, output in (("ctf", AVERAGE), ("export", Output(".warpcore/state.db", "")), ("nothing", AVERAGE)):
        with pytest.raises(UndeclaredError, match="declares no file"):
            staging(tmp_path).place(step, output)
        with pytest.raises(UndeclaredError, match="declares no file"):
            staging(tmp_path).retain(step, output)
    assert left(tmp_path) == []
