"""Named sets of settings. To use one is a change of settings like any other."""

from __future__ import annotations

from typing import Any

from warpcore.bus import messages as wire
from warpcore.bus.limits import LONGEST_PROFILE_NAME, MOST_PROFILES
from warpcore.bus.vocabulary import ErrorCode
from warpcore.services.scheduler.core import rows
from warpcore.services.scheduler.core.effects import DropProfile, SaveProfile
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.records import ProfileRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.views import refused_settings
from warpcore.services.session.migrations import LATEST, adopt
from warpcore.services.session.settings import Settings, SettingsError, check_size, parse_settings


@handles(wire.SaveProfile)
def save(state: State, message: wire.SaveProfile) -> None:
    """Keeps settings under a name."""
    problem = _why_not(state, message.name)
    if problem:
        state.reply(wire.Error(ErrorCode.INVALID, problem))
        return
    try:
        settings = state.settings if message.settings is None else parse_settings(message.settings)
        check_size(settings)
    except SettingsError as error:
        state.reply(refused_settings(error))
        return
    record = ProfileRecord(message.name, state.wall, message.by, _elsewhere(settings), LATEST)
    state.profiles[record.name] = record
    state.effects.append(SaveProfile(rows.profile_row(record)))
    state.reply(wire.Profile(record.name, record.at, record.by, record.settings))


@handles(wire.GetProfile, reads=True)
def get(state: State, message: wire.GetProfile) -> None:
    """A named set of settings."""
    record = _found(state, message.name)
    if record is not None:
        settings = _elsewhere(adopt(record.settings, record.migration).settings)
        state.reply(wire.Profile(record.name, record.at, record.by, settings))


@handles(wire.GetProfiles, reads=True)
def get_all(state: State, message: wire.GetProfiles) -> None:
    """The named sets of settings, without the settings."""
    found = sorted(state.profiles.values(), key=lambda one: one.name)
    state.reply(wire.Profiles([wire.Profile(one.name, one.at, one.by) for one in found]))


@handles(wire.DeleteProfile)
def delete(state: State, message: wire.DeleteProfile) -> None:
    """Forgets a named set of settings."""
    record = _found(state, message.name)
    if record is not None:
        del state.profiles[record.name]
        state.effects.append(DropProfile(record.name))
        state.reply(wire.Profile(record.name, record.at, record.by, record.settings))


def _elsewhere(settings: Settings) -> dict[str, Any]:
    """The settings without the data directory, which is the session's own."""
    plain = settings.to_dict()
    del plain["import"]["data"]
    return plain


def _why_not(state: State, name: str) -> str:
    """Why a profile cannot be saved under this name, "" where it can."""
    if not 0 < len(name.strip()) <= len(name) <= LONGEST_PROFILE_NAME or not name.isprintable() or "/" in name:
        return f"{name[:100]!r} is no name of a profile: give 1 to {LONGEST_PROFILE_NAME} characters without a slash"
    if name in (".", ".."):
        return f"{name!r} is no name of a profile: browsers take it out of addresses; give another"
    if name not in state.profiles and len(state.profiles) >= MOST_PROFILES:
        return f"there are {len(state.profiles)} profiles already; delete one"
    return ""


def _found(state: State, name: str) -> ProfileRecord | None:
    record = state.profiles.get(name)
    if record is None:
        state.reply(wire.Error(ErrorCode.NOT_FOUND, f"no profile is called {name[:100]!r}"))
    return record
