"""`warpcore settings history` and `warpcore settings profiles …`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warpcore.bus.limits import PAGE
from warpcore.cli import options as o
from warpcore.cli import output, remote
from warpcore.cli.settings import GROUP, DryRun, assignment_lines, report

if TYPE_CHECKING:
    from warpcore.bus.messages import Profile

ProfileName = Annotated[str, typer.Argument(metavar="PROFILE", help="The profile's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands to those of `settings`."""
    GROUP.command()(history)
    profiles = typer.Typer(no_args_is_help=True, help="Named sets of settings, kept with the session.")
    for command in (list_, show, save, load, delete):
        profiles.command(command.__name__.rstrip("_"))(command)
    GROUP.add_typer(profiles, name="profiles")


def history(
    last: Annotated[int, typer.Option(min=1, help="Only so many changes, the last ones.")] = PAGE,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Tell who changed which settings when, newest first."""
    from warpcore.bus.messages import GetSettingsHistory, SettingsHistory

    message = GetSettingsHistory(limit=last)
    revisions = remote.ask_once(scheduler, control_port, key, message, SettingsHistory).revisions
    if as_json:
        output.as_json([one.to_body() for one in revisions])
        return
    for one in revisions:
        output.data(f"{one.revision}  {output.local_time(one.at)}  {one.by}")
        for name, (old, new) in one.changed.items():
            output.data(f"    {name}: {_told(old)} → {_told(new)}")


def list_(
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """List the profiles."""
    from warpcore.bus.messages import GetProfiles, Profiles

    found = remote.ask_once(scheduler, control_port, key, GetProfiles(), Profiles).profiles
    if as_json:
        output.as_json([{"name": one.name, "at": one.at, "by": one.by} for one in found])
    else:
        output.rows(["profile", "saved", "by"], [[one.name, output.local_time(one.at), one.by] for one in found])


def show(
    name: ProfileName,
    as_json: o.AsJson = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Show the settings of a profile; with --json as a file that `settings import` takes."""
    settings = _profile(name, scheduler, control_port, key).settings
    if as_json:
        output.as_json(settings)
    else:
        for line in assignment_lines(settings):
            output.data(line)


def save(
    name: ProfileName, scheduler: o.SchedulerHost = "127.0.0.1", control_port: o.ControlPort = 8081, key: o.Key = None
) -> None:
    """Save the session's present settings as a profile, over one of that name."""
    from warpcore.bus.messages import Profile, SaveProfile

    saved = remote.ask_once(scheduler, control_port, key, SaveProfile(name, by=remote.asker()), Profile)
    output.note(f"{saved.name}: saved")


def load(
    name: ProfileName,
    dry_run: DryRun = False,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Replace the session's settings by those of a profile."""
    from warpcore.bus.messages import PreviewSettings, PutSettings, SettingsReply

    settings = _profile(name, scheduler, control_port, key).settings
    request = PreviewSettings(settings, whole=True) if dry_run else PutSettings(settings, by=remote.asker())
    report(remote.ask_once(scheduler, control_port, key, request, SettingsReply), dry_run)


def delete(
    name: ProfileName, scheduler: o.SchedulerHost = "127.0.0.1", control_port: o.ControlPort = 8081, key: o.Key = None
) -> None:
    """Forget a profile."""
    from warpcore.bus.messages import DeleteProfile, Profile

    remote.ask_once(scheduler, control_port, key, DeleteProfile(name), Profile)
    output.note(f"{name}: deleted")


def _profile(name: str, scheduler: str, control_port: int, key: Path | None) -> Profile:
    from warpcore.bus.messages import GetProfile, Profile

    return remote.ask_once(scheduler, control_port, key, GetProfile(name), Profile)


def _told(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
