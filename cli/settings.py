"""`warpcore settings get|set|import|explain`; `settings_history.py` and `warp_settings.py` have the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warpcore.cli import options as o
from warpcore.cli import output, remote, warp_settings
from warpcore.cli.errors import CliError
from warpcore.cli.session_option import needs_no_session

if TYPE_CHECKING:
    from warpcore.bus.messages import SettingInUse, SettingsEffect, SettingsReply, ValueInUse


DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would run; nothing changes.")]


ASIDE_S = 0.5
"""How long a session is waited for that only adds to what is said."""

GROUP = typer.Typer(no_args_is_help=True, help="Show, explain or change the settings of a session.")
"""The commands of `settings`; other modules add theirs."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    GROUP.command("get")(get)
    GROUP.command("set")(set_)
    GROUP.command("import")(import_)
    GROUP.command("explain")(explain)
    warp_settings.register_in(GROUP)
    app.add_typer(GROUP, name="settings", rich_help_panel="Control")


def get(
    names: Annotated[list[str] | None, typer.Argument(help="Only these: ctf, or ctf.voltage.")] = None,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Show the settings with their units, and the default of those that differ from it.

    Each line can be given to `settings set` again. With --json it prints a file that `settings import` takes.
    """
    from warpcore.bus.messages import GetSettings, SettingsReply

    settings = remote.ask_once(scheduler, control_port, key, GetSettings(), SettingsReply).settings
    shown = _only(settings, names) if names else settings
    if as_json:
        output.as_json(shown)
    else:
        for line in assignment_lines(shown):
            output.data(line)


@needs_no_session
def explain(
    names: Annotated[list[str] | None, typer.Argument(help="A section or a setting: ctf, or ctf.voltage.")] = None,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Say what settings mean: unit, default, allowed values, and what runs again when one changes. Needs no session.

    Where a session runs, it also says which values its movies have told themselves, and where these come from.
    """
    from warpcore.services.session.describing import descriptions
    from warpcore.services.session.resolving import RESOLVED

    shown = []
    for name in names or [""]:
        found = list(descriptions(name))
        if not found:
            raise CliError(f"{name}: no such setting or section; `warpcore settings explain` lists all")
        shown += found
    asked = any(one.name in RESOLVED for one in shown)
    in_use = _settings_in_use(scheduler, control_port, key) if asked else {}
    for one in shown:
        unit = f", in {one.unit}" if one.unit else ""
        allowed = f", allowed: {one.allowed}" if one.allowed else ""
        output.data(f"{one.name}: {one.description}{unit}")
        output.data(f"    default {one.default_text}{allowed}; touches: {one.touches}")
        if one.name in in_use:
            output.data(f"    now: {in_use_text(in_use[one.name])}")


def set_(
    assignments: Annotated[list[str], typer.Argument(metavar="SECTION.NAME=VALUE…")],
    dry_run: DryRun = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Change settings, for example: warpcore settings set ctf.voltage=200 picking.diameter=150"""
    from warpcore.bus.messages import PatchSettings, PreviewSettings, SettingsReply
    from warpcore.cli.initial_settings import merged_assignments

    patch = merged_assignments(assignments)
    request = PreviewSettings(patch) if dry_run else PatchSettings(patch, by=remote.asker())
    report(remote.ask_once(scheduler, control_port, key, request, SettingsReply), dry_run)


def import_(
    file: Annotated[
        Path, typer.Argument(help="JSON file, or X.settings of Warp's; what it does not name gets its default.")
    ],
    dry_run: DryRun = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Replace all settings by those of a file."""
    from warpcore.bus.messages import PreviewSettings, PutSettings, SettingsReply

    settings = warp_settings.load_any_settings(file).to_dict()
    request = PreviewSettings(settings, whole=True) if dry_run else PutSettings(settings, by=remote.asker())
    report(remote.ask_once(scheduler, control_port, key, request, SettingsReply), dry_run)


def assignment_lines(settings: dict[str, Any]) -> list[str]:
    """`section.name=value` for each setting, as `settings set` takes it.

    After `#` stand its unit, and the default of a value that differs from it.
    """
    import json

    from warpcore.services.session.describing import descriptions

    known = {one.name: one for one in descriptions()}
    lines = []
    for section, values in settings.items():
        for name, value in values.items():
            one = known.get(f"{section}.{name}")
            unit = [one.unit] if one is not None and one.unit else []
            differs = [f"default {one.default_text}"] if one is not None and value != one.default else []
            notes = "; ".join(unit + differs)
            line = f"{section}.{name}={json.dumps(value, ensure_ascii=False)}"
            lines.append(f"{line:<40}  # {notes}" if notes else line)
    return lines


def in_use_text(setting: SettingInUse) -> str:
    """`300 (metadata of 198 movies), 200 (metadata of 2 movies)`: the values that movies have, and where from."""
    told = [_value_text(one) for one in setting.values] or ["not known before the first movie"]
    if setting.others:
        told.append(f"other values of {output.counted(setting.others)}")
    return ", ".join(told)


def _value_text(one: ValueInUse) -> str:
    from warpcore.services.session.resolving import ASSUMED, SETTING

    movies = output.counted(one.movies)
    if one.value is None:
        return f"unknown ({movies})"
    origin = {SETTING: SETTING, ASSUMED: f"{ASSUMED}, {movies}"}.get(one.source, f"{one.source} of {movies}")
    return f"{one.value:.10g} ({origin})"


def _settings_in_use(scheduler: str, control_port: int, key: Path | None) -> dict[str, SettingInUse]:
    """What a session says of the values in use, by setting; nothing where none answers, or one of an earlier version.

    A session is not needed, so one that is not there is no error, and is not waited for.
    """
    from warpcore.bus.client import NoAnswerError, RefusedError
    from warpcore.bus.messages import GetSettingsInUse, SettingsInUse
    from warpcore.services.access.private import AccessError

    try:
        with remote.client(scheduler, control_port, key, timeout_s=ASIDE_S, attempts=1) as asking:
            reply = remote.ask(asking, GetSettingsInUse(), SettingsInUse)
    except (NoAnswerError, RefusedError, AccessError, OSError):
        return {}
    return {one.name: one for one in reply.settings}


def _only(settings: dict[str, Any], names: list[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name in names:
        section, _, key = name.partition(".")
        if section not in settings or (key and key not in settings[section]):
            known = settings.get(section, settings)
            raise CliError(f"{name}: no such setting; known here: {', '.join(known)}")
        chosen.setdefault(section, {}).update({key: settings[section][key]} if key else settings[section])
    return chosen


def report(reply: SettingsReply, dry_run: bool) -> None:
    """Say what a change of settings does, or would do."""
    output.note(effect_text(reply.effect, "nothing is changed; this would happen" if dry_run else "settings changed"))


def effect_text(effect: SettingsEffect | None, head: str = "settings changed") -> str:
    """What a change of settings does, in one line that begins with `head`."""
    if effect is None or not effect.changed:
        return "these were the settings already: nothing runs"
    told = []
    if effect.movies:
        steps = ", ".join(f"{step} of {count}" for step, count in effect.runs.items())
        told.append(f"{output.counted(effect.movies)} run again: {steps}")
    if effect.kept:
        told.append(f"kept results fit {output.counted(effect.kept)}: nothing runs for them")
    if effect.rejected:
        told.append(f"the filter takes out {output.counted(effect.rejected)}")
    if effect.accepted:
        told.append(f"the filter returns {output.counted(effect.accepted)}")
    if effect.retried:
        told.append(f"{output.counted(effect.retried)} that failed are tried again")
    return f"{head}: " + ("; ".join(told) or "no movie with results is touched")
