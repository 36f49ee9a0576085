"""Paths that reach a running scheduler from outside: settings, tries, exports, names of movies and files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.services.scheduler_site import Site, ask, files
from tests.services.scheduler_world import World, finished
from tests.waiting import crowd
from warpcore.bus import messages as wire
from warpcore.bus.client import RefusedError, RequestClient
from warpcore.services.formats.mrc_writer import write_mrc
from warpcore.services.session.allowed import Readable
from warpcore.services.session.settings import SettingsError, parse_settings

PATHS = (
    "import.gain_path",
    "import.defects_path",
    "import.metadata_template",
    "picking.templates_path",
    "picking.weights_path",
    "export.mtf_path",
)


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


def patch(name: str, value: Any) -> wire.PatchSettings:
    section, _, key = name.partition(".")
    return wire.PatchSettings({section: {key: str(value)}})


def refusal(client: RequestClient, name: str, value: Any) -> str:
    """The one line with which a value is refused; at once, whatever it names."""
    begun = time.monotonic()
    with pytest.raises(RefusedError) as refused:
        ask(client, patch(name, value))
    assert time.monotonic() - begun < 3 * crowd()  # a pipe would wait for ever
    (fault,) = refused.value.error.errors
    assert (fault["name"], fault["value"]) == (name, str(value))
    assert "\n" not in fault["problem"]
    return str(fault["problem"])


def test_no_setting_reads_a_file_of_the_system_or_of_another_folder(site: Site) -> None:
    """`import.defects_path=/etc/passwd` was taken: 0 defects."""
    secret = site.data.parent / "secret.mrc"
    secret.write_text("root:x:0:0 SECRET")
    (site.data / "link.mrc").symlink_to(secret)
    (site.data / "passwd.mrc").symlink_to("/etc/passwd")
    with site.running(paused=True) as client:
        for name in PATHS:
            for value in ("/etc/passwd", "/proc/self/environ", site.data / "passwd.mrc", "/dev/zero"):
                assert "operating system" in refusal(client, name, value)
            for value in (secret, site.data / "../secret.mrc", "/nowhere/there"):
                assert "start the session with --references FOLDER" in refusal(client, name, value)
            assert "is a link out of the data directory" in refusal(client, name, site.data / "link.mrc")
            assert "warpcore alone" in refusal(client, name, site.processing / ".warpcore/state.db")
        assert ask(client, wire.GetSettings()).revision == 1


@pytest.mark.parametrize("name", PATHS)
def test_files_that_are_not_what_a_setting_says_are_refused_without_a_word_of_theirs(site: Site, name: str) -> None:
    """In the data directory, where they may be read: a text, nothing, a folder, a pipe, a terabyte of zeros."""
    made = {one: site.data / f"x{one}.mrc" for one in ("text", "empty", "folder", "pipe", "sparse", "comment")}
    made["text"].write_text("# WARPCORE\nconfidential password=hunter2 {}\n" * 50)
    made["comment"].write_text("# confidential\n")
    made["empty"].touch()
    made["folder"].mkdir()
    os.mkfifo(made["pipe"])
    made["sparse"].touch()
    os.truncate(made["sparse"], 1 << 40)
    with site.running(paused=True) as client:
        for path in made.values():
            for suffix in ("", ".txt"):
                target = path if not suffix else path.with_suffix(suffix)
                if suffix:
                    os.rename(path, target)
                told = refusal(client, name, target)
                assert "confidential" not in told
                assert "hunter2" not in told


def test_what_a_setting_says_is_taken_before_there_is_any_movie(site: Site) -> None:
    defects, gain = site.data / "defects.txt", site.data / "gain.mrc"
    defects.write_text("1 1 2 2\n")
    write_mrc(gain, np.ones((8, 8), np.float32), 1.0)
    with site.running(paused=True) as client:
        for name, path in (("import.defects_path", defects), ("import.gain_path", gain)):
            section, _, key = name.partition(".")
            assert ask(client, patch(name, path)).settings[section][key] == str(path)


def gain_at(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_mrc(folder / "gain.mrc", np.ones((8, 8), np.float32), 1.0)
    write_mrc(folder / "later.mrc", np.ones((8, 8), np.float32), 1.0)
    return folder / "gain.mrc"


def test_who_starts_a_session_names_a_gain_anywhere_and_it_stays_allowed(site: Site) -> None:
    """A gain in a folder of the facility's is the usual case; a restart needs nothing more."""
    gain = gain_at(site.data.parent / "gains")
    settings = parse_settings({"import": {"gain_path": str(gain)}})
    with site.running(paused=True, settings=settings) as client:
        changed = ask(client, patch("import.gain_path", gain.with_name("later.mrc")))
        assert changed.settings["import"]["gain_path"].endswith("later.mrc")
    with site.running() as client:
        assert ask(client, patch("import.gain_path", gain)).settings["import"]["gain_path"] == str(gain)
        assert "--references" in refusal(client, "import.gain_path", gain_at(site.data.parent / "others"))


def test_folders_of_references_are_allowed_and_told_to_workers(site: Site) -> None:
    gain = gain_at(site.data.parent / "facility" / "2026")
    readable = Readable((str(gain.parent.parent),), follow_links=True)
    with site.running(paused=True, readable=readable) as client:
        assert ask(client, patch("import.gain_path", gain)).settings["import"]["gain_path"] == str(gain)


def test_a_person_who_starts_a_session_is_refused_files_of_the_system_too(site: Site) -> None:
    settings = parse_settings({"import": {"defects_path": "/etc/passwd"}})
    with pytest.raises(SettingsError, match="operating system"), site.running(settings=settings):
        pass


def test_a_try_and_a_preview_are_held_to_the_same_folders(site: Site) -> None:
    given = {"import": {"defects_path": "/etc/passwd"}}
    with site.running(paused=True) as client:
        ask(client, files("a.tif"))
        for message in (wire.StartTry("a", given), wire.PreviewSettings(given), wire.PutSettings(given)):
            with pytest.raises(RefusedError, match="operating system"):
                ask(client, message)


def test_an_export_names_no_file_of_its_own() -> None:
    world = World()
    answer = world.ask(wire.StartExport("micrographs", {"mtf_path": "/etc/passwd"}))
    assert answer.code == "invalid"
    assert "export.mtf_path" in answer.detail


@pytest.mark.parametrize("path", ["/etc/passwd", "../a.tif", "a/../../b.tif", ".warpcore/state.db", "a\0.tif", ""])
def test_names_from_peers_are_no_paths(path: str) -> None:
    world = World()
    assert world.ask(wire.RegisterFiles([wire.FoundFile(path, 1, 1)])).code == "invalid"
    assert not world.state.movies


@pytest.mark.parametrize("file", ["/etc/passwd", "../particles.star", ".warpcore/state.db"])
def test_a_summary_that_a_tracker_names_lies_among_the_results(file: str) -> None:
    world = finished("a.tif", settings=parse_settings({"picking": {"diameter": 100.0}}))
    job = world.ask(wire.StartExport("particles", {"box_size": 64})).job
    world.finish("a")
    assert world.ask(wire.ExportCollected(job, file)).code == "invalid"
    assert world.ask(wire.GetExport(job)).files == ["particles/job-1/a.xml"]
