"""`warpcore settings export`, and `.settings` of Warp's wherever a file of settings is given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.cli import options as o
from warpcore.cli import output, remote
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.services.session.settings import Settings

SUFFIX = ".settings"


def register_in(group: typer.Typer) -> None:
    """Add the command to those of `settings`."""
    group.command("export")(export)


def load_any_settings(file: Path) -> Settings:
    """The settings of a JSON file of ours or a `.settings` of Warp's; what has no counterpart is told on stderr.

    Raises SettingsError, CliError and OSError.
    """
    from warpcore.services.formats.warp_settings import read_warp_settings
    from warpcore.services.session.errors import InputError
    from warpcore.services.session.migrations import load_settings_file

    if file.suffix != SUFFIX:
        return load_settings_file(file)
    try:
        settings, notes = read_warp_settings(file)
    except InputError as error:
        raise CliError(str(error)) from None
    for note in notes:
        output.note(f"{file.name}: {note}")
    return settings


def export(
    file: Annotated[Path, typer.Argument(help="The file to write: X.settings.")],
    settings: Annotated[
        Path | None, typer.Option("--settings", help="JSON file of settings; without one, those of the session.")
    ] = None,
    scheduler: o.SchedulerHost = "127.0.0.1",
    control_port: o.ControlPort = 8081,
    key: o.Key = None,
) -> None:
    """Write the settings as Warp and M take them, and say what they have no counterpart of."""
    from warpcore.bus.messages import GetProcessing, GetSettings, ProcessingStatus, SettingsReply
    from warpcore.services.formats.warp_settings_writing import warp_settings
    from warpcore.services.session.paths import write_text_whole
    from warpcore.services.session.settings import parse_settings

    if settings is not None:
        chosen = load_any_settings(settings)
        data, processing = chosen.import_.data, ""
    else:
        with remote.client(scheduler, control_port, key) as asking:
            chosen = parse_settings(remote.ask(asking, GetSettings(), SettingsReply).settings)
            status = remote.ask(asking, GetProcessing(), ProcessingStatus)
        data, processing = status.data_directory, status.processing_directory
    text, notes = warp_settings(chosen, data, processing)
    write_text_whole(file, text)
    for note in notes:
        output.note(note)
