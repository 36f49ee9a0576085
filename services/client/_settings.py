"""Settings of a session, named sets of them, and the picker's searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from warpcore.services.api.views import ProfilesView, ProfileView, RevisionView, SettingsEffectView
from warpcore.services.client._requests import Requests, Settings, part


class SessionSettings(Requests):
    """The part of a session's client that is about settings."""

    def settings(self) -> Settings:
        """All settings by section."""
        return self._get("/api/settings", Settings)

    def change_settings(self, changes: Settings, by: str | None = None) -> Settings:
        """Change the settings that are named: `{"ctf": {"voltage": 200}}`. Returns all of them."""
        return self._send("PATCH", "/api/settings", changes, Settings, {"by": by})

    def replace_settings(self, settings: Settings, by: str | None = None) -> Settings:
        """Replace all settings; one that is not named returns to its default. Returns all of them."""
        return self._send("PUT", "/api/settings", settings, Settings, {"by": by})

    def preview_settings(self, changes: Settings) -> SettingsEffectView:
        """What such a change would do; nothing changes."""
        return self._send("POST", "/api/settings/preview", changes, SettingsEffectView)

    def settings_schema(self) -> dict[str, Any]:
        """JSON Schema of all settings, with units, defaults, ranges and descriptions."""
        return self._get("/api/settings/schema", dict[str, Any])

    def settings_history(self, before: int | None = None, limit: int | None = None) -> list[RevisionView]:
        """Who changed which settings when, the newest first; `before`: only revisions below this one."""
        return self._get("/api/settings/history", list[RevisionView], {"before": before, "limit": limit})

    def profiles(self) -> list[ProfileView]:
        """The named sets of settings, without the settings."""
        return self._get("/api/settings/profiles", ProfilesView).profiles

    def profile(self, profile: str) -> ProfileView:
        """A named set of settings; `replace_settings` puts it in force."""
        return self._get(f"/api/settings/profiles/{part(profile)}", ProfileView)

    def keep_profile(self, profile: str, settings: Settings | None = None, by: str = "") -> ProfileView:
        """Keep settings under a name, those in force where none are given."""
        body = {"settings": settings, "by": by}
        return self._send("PUT", f"/api/settings/profiles/{part(profile)}", body, ProfileView)

    def forget_profile(self, profile: str) -> ProfileView:
        """Forget a named set of settings."""
        return self._send("DELETE", f"/api/settings/profiles/{part(profile)}", None, ProfileView)

    def suggest_diameters(
        self, names: Sequence[str] | None = None, smallest: int = 60, largest: int = 600
    ) -> dict[str, Any]:
        """Search for diameters of particles in Å in the background; all three return a `Suggestion` of docs/rest.md."""
        body = {"names": names, "smallest": smallest, "largest": largest}
        return self._send("POST", "/api/picker/suggest", body, dict[str, Any])

    def suggestion(self) -> dict[str, Any]:
        """How far the search for diameters is, and what it has found."""
        return self._get("/api/picker/suggest", dict[str, Any])

    def cancel_suggestion(self) -> dict[str, Any]:
        """Cancel the search for diameters."""
        return self._send("DELETE", "/api/picker/suggest", None, dict[str, Any])

    def train_picker(self, names: Sequence[str] | None = None, **options: int) -> dict[str, Any]:
        """Train the picking network on picks by hand; all three return a `Training` of docs/rest.md.

        `options` are `steps`, `scenes` and `seed`.
        """
        return self._send("POST", "/api/picker/train", {"names": names, **options}, dict[str, Any])

    def training(self) -> dict[str, Any]:
        """How far the training is, with its curve, and what came of it."""
        return self._get("/api/picker/train", dict[str, Any])

    def cancel_training(self) -> dict[str, Any]:
        """Cancel the training."""
        return self._send("DELETE", "/api/picker/train", None, dict[str, Any])
