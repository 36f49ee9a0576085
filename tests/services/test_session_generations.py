"""Outputs of earlier settings come back as they were, and cost no disk space twice."""

from __future__ import annotations

from pathlib import Path

from warpcore.services.session import placing
from warpcore.services.session.disk_files import DiskFiles
from warpcore.services.session.generations import KEPT_GENERATIONS, Generation
from warpcore.services.session.placing import Placement


def keep(processing: Path, root: str, generation: Generation) -> list[str]:
    """Keep a movie's outputs, as before any others take their place."""
    return placing.place(DiskFiles(processing), Placement(root, "1", before=generation))


def restore(processing: Path, root: str, key: str, present: Generation) -> tuple[Generation | None, list[str]]:
    return placing.restore(DiskFiles(processing), root, key, present)


def write(processing: Path, version: str, *, picks: bool = True) -> Generation:
    """A movie's outputs for settings `version`, put in place as the worker does: equal files stay as they are."""
    outputs = {"ctf": ["powerspectrum/g/a.json"], "export": ["average/g/a.mrc", "g/a.xml"]}
    if picks:
        outputs["picking"] = ["matching/g/a_picks.star"]
    for path in (path for paths in outputs.values() for path in paths):
        target = processing / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name("fresh")
        fresh.write_text("the same average" if path.endswith(".mrc") else f"{path} {version}")
        if target.exists() and target.read_text() == fresh.read_text():
            fresh.unlink()
        else:
            fresh.replace(target)
    return Generation({"ctf": version, "export": version}, {"ctf": {"defocus_um": version}}, outputs)


def results(processing: Path) -> dict[str, str]:
    """Every file among the results, hidden ones too."""
    return {
        str(path.relative_to(processing)): path.read_text()
        for path in processing.rglob("*")
        if path.is_file() and path.relative_to(processing).parts[0] != ".warpcore"
    }


def test_going_back_and_forth_restores_each_generation_and_removes_what_it_did_not_have(tmp_path: Path) -> None:
    old = write(tmp_path, "old", picks=False)
    before = results(tmp_path)
    keep(tmp_path, "g/a", old)
    new = write(tmp_path, "new")
    after = results(tmp_path)

    back, keys = restore(tmp_path, "g/a", old.key, new)
    assert back == old
    assert results(tmp_path) == before
    assert set(keys) == {old.key, new.key}

    forth, _ = restore(tmp_path, "g/a", new.key, old)
    assert forth == new
    assert results(tmp_path) == after


def test_what_an_earlier_version_left_beside_a_movies_outputs_goes_when_they_are_put_back(tmp_path: Path) -> None:
    old = write(tmp_path, "old", picks=False)
    before = results(tmp_path)
    keep(tmp_path, "g/a", old)
    new = write(tmp_path, "new")
    others = {"average/g/.b.mrc.restored": "of another movie", "average/g/.a.mrc.mine": "of the user"}
    for name in (*others, *(str(Path(path).with_name(f".{Path(path).name}.restored")) for path in new.files)):
        (tmp_path / name).write_text(others.get(name, "left"))
    restore(tmp_path, "g/a", old.key, new)
    assert results(tmp_path) == {**before, **others}


def test_only_whole_generations_are_kept_or_restored(tmp_path: Path) -> None:
    old = write(tmp_path, "old")
    (tmp_path / "average/g/a.mrc").unlink()
    assert keep(tmp_path, "g/a", old) == []
    old = write(tmp_path, "old")
    assert keep(tmp_path, "g/a", old) == [old.key]
    (tmp_path / ".warpcore/kept/g/a.kept" / old.key / "0").unlink()
    new = write(tmp_path, "new")
    there = results(tmp_path)
    assert placing.kept(DiskFiles(tmp_path), "g/a", old.key) is None
    assert restore(tmp_path, "g/a", old.key, new)[0] is None
    assert results(tmp_path) == there


def test_kept_files_are_links_and_the_oldest_generations_go(tmp_path: Path) -> None:
    keys: list[str] = []
    for number in range(KEPT_GENERATIONS + 2):
        generation = write(tmp_path, str(number))
        inode = (tmp_path / "average/g/a.mrc").stat().st_ino
        keys = keep(tmp_path, "g/a", generation)
        assert keys[-1] == generation.key
    folder = tmp_path / ".warpcore/kept/g/a.kept"
    assert sorted(path.name for path in folder.iterdir()) == sorted(keys)
    assert len(keys) == KEPT_GENERATIONS
    assert any(path.stat().st_ino == inode for path in (folder / keys[-1]).iterdir())


def test_the_oldest_generation_can_be_put_back_too(tmp_path: Path) -> None:
    """To keep the present outputs, one generation must go; never the one that is wanted."""
    made = [write(tmp_path, "0")]
    for number in range(KEPT_GENERATIONS):
        keep(tmp_path, "g/a", made[-1])
        made.append(write(tmp_path, str(number + 1)))
    back, keys = restore(tmp_path, "g/a", made[0].key, made[-1])
    assert back == made[0]
    assert keys[-2:] == [made[0].key, made[-1].key]
    assert results(tmp_path)["g/a.xml"] == "g/a.xml 0"
