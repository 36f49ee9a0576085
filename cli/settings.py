"""`warpcore settings get|set|import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from warpcore.cli import options as o
from warpcore.cli import output, remote
from warpcore.cli.errors import CliError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Show or change the settings in force.")
    group.command("get")(get)
    group.command("set")(set_)
    group.command("import")(import_)
    app.add_typer(group, name="settings", rich_help_panel="Control")


def get(
    names: Annotated[list[str] | None, typer.Argument(help="Only these: ctf, or ctf.voltage.")] = None,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
) -> None:
    """Show the settings in force. With --json it prints a file that `settings import` takes."""
    from warpcore.bus.messages import GetSettings, SettingsReply

    settings = remote.ask_once(scheduler, control_port, GetSettings(), SettingsReply).settings
    shown = _only(settings, names) if names else settings
    if as_json:
        output.as_json(shown)
    else:
        for line in assignment_lines(shown):
            output.data(line)


def set_(
    assignments: Annotated[list[str], typer.Argument(metavar="SECTION.NAME=VALUE…")],
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
) -> None:
    """Change settings, for example: warpcore settings set ctf.voltage=200 picking.diameter=150"""
    from warpcore.bus.messages import PatchSettings, SettingsReply
    from warpcore.cli.initial_settings import merged_assignments

    patch = merged_assignments(assignments)
    _report(remote.ask_once(scheduler, control_port, PatchSettings(patch), SettingsReply).outdated)


def import_(
    file: Annotated[Path, typer.Argument(help="JSON file of settings; what it does not name gets its default.")],
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
) -> None:
    """Replace all settings by those of a file."""
    from warpcore.bus.messages import PutSettings, SettingsReply
    from warpcore.services.session.settings import load_settings_file

    settings = load_settings_file(file).to_dict()
    _report(remote.ask_once(scheduler, control_port, PutSettings(settings), SettingsReply).outdated)


def assignment_lines(settings: dict[str, Any]) -> list[str]:
    """`section.name=value` for each setting, in a form that `settings set` takes back."""
    import json

    return [
        f"{section}.{name}={json.dumps(value, ensure_ascii=False)}"
        for section, values in settings.items()
        for name, value in values.items()
    ]


def _only(settings: dict[str, Any], names: list[str]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for name in names:
        section, _, key = name.partition(".")
        if section not in settings or (key and key not in settings[section]):
            known = settings.get(section, settings)
            raise CliError(f"{name}: no such setting; known here: {', '.join(known)}")
        chosen.setdefault(section, {}).update({key: settings[section][key]} if key else settings[section])
    return chosen


def _report(outdated: int) -> None:
    output.note(f"settings changed; {outdated} movie(s) outdated by it" if outdated else "settings are in force")
