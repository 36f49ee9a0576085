"""Who changed which settings when, and named sets of settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.services.scheduler_site import Site, ask
from tests.services.scheduler_world import World
from warpcore.bus import messages as wire
from warpcore.bus.client import RefusedError
from warpcore.bus.limits import MOST_PROFILES
from warpcore.services.scheduler.core.effects import SaveRevision
from warpcore.services.scheduler.core.rows import RevisionRow
from warpcore.services.scheduler.store.database import Store
from warpcore.services.scheduler.store.history import SETTINGS_KEPT


@pytest.fixture
def site(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Site:
    return Site(tmp_path, free_ports(4))


def history(client: Any, **which: Any) -> list[Any]:
    revisions: list[Any] = ask(client, wire.GetSettingsHistory(**which)).revisions
    return revisions


def test_the_history_tells_who_changed_what_from_what_and_outlives_a_restart(site: Site) -> None:
    with site.running() as client:
        ask(client, wire.PatchSettings({"ctf": {"voltage": 200.0}, "picking": {"diameter": 120.0}}, by="ada"))
        ask(client, wire.PatchSettings({"ctf": {"voltage": 200.0}}, by="nobody: nothing changes"))
        ask(client, wire.PatchSettings({"ctf": {"voltage": 300.0}}))
    with site.running() as client:
        newest, ada, first = history(client)
        assert (newest.by, newest.changed) == ("test", {"ctf.voltage": [200.0, 300.0]}), "the client's own name"
        assert ada.by == "ada"
        assert ada.changed == {"ctf.voltage": [None, 200.0], "picking.diameter": [None, 120.0]}
        assert (first.by, first.changed) == ("start", {"import.data": ["", str(site.data)]})
        assert newest.revision == ada.revision + 1
        assert newest.at >= ada.at > 0
        assert history(client, limit=1) == [newest]
        assert history(client, before=newest.revision) == [ada, first]


def test_a_preview_and_a_refused_change_leave_no_history(site: Site) -> None:
    with site.running() as client:
        before = history(client)
        ask(client, wire.PreviewSettings({"ctf": {"voltage": 200.0}}))
        with pytest.raises(RefusedError, match=r"ctf\.voltage"):
            client.request(wire.PatchSettings({"ctf": {"voltage": 1.0}}))
        assert history(client) == before


def test_the_history_keeps_the_last_changes_and_pages_fit_a_frame(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db", data_directory="/data", processing_directory="/processing")
    world = World()
    world.store_into(store)
    for number in range(SETTINGS_KEPT + 10):
        world.patch(ctf={"voltage": 200.0 + number % 2})
    store.commit()
    assert len(store.settings_history(None, 10_000)) == SETTINGS_KEPT
    large = "x" * 400_000
    rows = [RevisionRow(world.state.revision + more, 1.0, "", f'{{"a": ["{large}", 1]}}') for more in (1, 2, 3)]
    store.stage([SaveRevision(row) for row in rows])
    store.commit()
    assert [one.revision for one in store.settings_history(None, 3)] == [rows[2].revision, rows[1].revision]
    store.close()


def test_a_profile_holds_the_settings_in_force_or_those_given(site: Site) -> None:
    with site.running() as client:
        ask(client, wire.PatchSettings({"ctf": {"voltage": 200.0}}))
        saved = ask(client, wire.SaveProfile("Krios 200 kV", by="ada"))
        assert saved.settings["ctf"]["voltage"] == 200.0
        assert "data" not in saved.settings["import"], "the data directory is the session's own"
        ask(client, wire.SaveProfile("small", {"picking": {"diameter": 80.0}}))
    with site.running() as client:
        found = ask(client, wire.GetProfiles()).profiles
        assert [(one.name, one.by, one.settings) for one in found] == [
            ("Krios 200 kV", "ada", {}),
            ("small", "test", {}),
        ]
        ask(client, wire.PutSettings(ask(client, wire.GetProfile("small")).settings))
        settings = ask(client, wire.GetSettings()).settings
        assert (settings["picking"]["diameter"], settings["ctf"]["voltage"]) == (80.0, None)
        assert settings["import"]["data"] == str(site.data)
        assert ask(client, wire.DeleteProfile("small")).name == "small"
        for message in (wire.GetProfile("small"), wire.DeleteProfile("small")):
            with pytest.raises(RefusedError, match="no profile is called 'small'"):
                client.request(message)


def test_a_profile_of_an_earlier_version_is_read_as_this_one_can() -> None:
    world = World()
    world.ask(wire.SaveProfile("old"))
    record = world.state.profiles["old"]
    record.settings["ctf"] |= {"volts": 300, "voltage": 200.0}
    assert world.ask(wire.GetProfile("old")).settings["ctf"]["voltage"] == 200.0
    assert "volts" not in world.ask(wire.GetProfile("old")).settings["ctf"]


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/b", "a\nb", "x" * 101])
def test_impossible_names_are_refused(name: str) -> None:
    assert World().ask(wire.SaveProfile(name)).code == "invalid"


def test_impossible_settings_and_too_many_profiles_are_refused() -> None:
    world = World()
    refused = world.ask(wire.SaveProfile("bad", {"ctf": {"voltage": 1}}))
    assert (refused.code, refused.errors[0]["name"]) == ("invalid", "ctf.voltage")
    for number in range(MOST_PROFILES):
        world.ask(wire.SaveProfile(f"profile {number}"))
    assert "delete one" in world.ask(wire.SaveProfile("one more")).detail
    assert world.ask(wire.SaveProfile("profile 0", {})).name == "profile 0", "one that exists is replaced"
