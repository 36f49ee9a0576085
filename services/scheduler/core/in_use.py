"""With which voltage, Cs, dose and pixel size the movies are processed, and where these come from."""

from __future__ import annotations

from collections import Counter

from warpcore.bus import messages as wire
from warpcore.bus.limits import MOST_VALUES_IN_USE
from warpcore.services.scheduler.core.handlers import handles
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.resolving import RESOLVED, SETTING, value_of

_DIGITS = 6
"""Significant digits that tell values apart: headers store the same pixel size in various roundings."""


@handles(wire.GetSettingsInUse, reads=True)
def settings_in_use(state: State, message: wire.GetSettingsInUse) -> None:
    """With which values movies are processed where a setting is null, and where these come from."""
    found = _counted(state)
    state.reply(wire.SettingsInUse([_in_use(state, name, found[name]) for name in RESOLVED]))


def _counted(state: State) -> dict[str, Counter[tuple[float | None, str]]]:
    """The number of movies by value and source, by setting; of equal numbers the value that came first is first."""
    found: dict[str, Counter[tuple[float | None, str]]] = {name: Counter() for name in RESOLVED}
    for facts, ids in state.told.items():
        resolved = state.learning.of(facts).resolved
        for name, counter in found.items():
            value = value_of(resolved.settings, name)
            shown = None if value is None else float(f"{value:.{_DIGITS}g}")
            counter[shown, resolved.sources.get(name, "")] += len(ids)
    return found


def _in_use(state: State, name: str, found: Counter[tuple[float | None, str]]) -> wire.SettingInUse:
    setting = value_of(state.settings, name)
    if setting is not None:  # holds before there is a movie, too
        return wire.SettingInUse(name, [wire.ValueInUse(setting, SETTING, len(state.movies))])
    most = found.most_common(MOST_VALUES_IN_USE)
    values = [wire.ValueInUse(value, source, movies) for (value, source), movies in most]
    return wire.SettingInUse(name, values, others=found.total() - sum(one.movies for one in values))
