"""Who changed what, over REST."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.services.api.rest_session import Api, problem


def entries(api: Api, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.http.get("/api/audit", params=query).raise_for_status().json()["entries"]
    return found


def test_what_is_changed_by_rest_is_told_newest_first_and_page_by_page(api: Api) -> None:
    begun = datetime.now(UTC)
    api.http.post("/api/processing/pause").raise_for_status()
    api.http.patch("/api/settings?by=ada", json={"filter": {"junk_max": 20}}).raise_for_status()
    api.http.post("/api/selection", json={"selection": "exclude", "names": ["a", "grid1/a"], "by": "bob"})
    api.http.post("/api/processing/start").raise_for_status()
    told = entries(api, since=begun.isoformat())
    assert [(one["action"], one["by"], one["via"], one["outcome"]) for one in told] == [
        ("processing.start", "", "api", "done"),
        ("items.select", "bob", "api", "done"),
        ("settings.patch", "ada", "api", "done"),
        ("processing.pause", "", "api", "done"),
    ]
    assert told[1]["detail"].startswith("2 movies: exclude")
    assert told[2]["detail"].endswith("filter.junk_max 10.0 → 20.0")
    assert begun <= datetime.fromisoformat(told[-1]["at"]) <= datetime.fromisoformat(told[0]["at"])
    first = api.http.get("/api/audit?limit=3").json()
    assert first["entries"] == told[:3]
    second = api.http.get("/api/audit", params={"before": first["nextBefore"], "limit": 1}).json()
    assert second["entries"] == told[3:]


def test_entries_are_found_by_name_and_by_action(api: Api) -> None:
    api.http.patch("/api/settings?by=eve", json={"filter": {"junk_max": 30}}).raise_for_status()
    api.http.patch("/api/settings?by=eve", json={"filter": {"junk_max": 10}}).raise_for_status()
    api.http.put("/api/settings/profiles/eves", json={"by": "eve"}).raise_for_status()
    assert [one["action"] for one in entries(api, user="Eve")] == ["profile.save", "settings.patch", "settings.patch"]
    assert [one["action"] for one in entries(api, user="eve", action="profile")] == ["profile.save"]
    assert entries(api, since=(datetime.now(UTC) + timedelta(days=1)).isoformat()) == []


def test_impossible_queries_are_refused(api: Api) -> None:
    for query in ("since=yesterday", "since=0.5", "since=2026-11-26T10:00:00", "limit=0", "before=-1", "who=ada"):
        assert problem(api.http.get(f"/api/audit?{query}"), 400)["errors"]
