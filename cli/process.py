"""`warpcore process`: the same steps on named files in this process, without services."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.services.session.settings import Settings
    from warpcore.services.worker.local import FileOutcome


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Without services")(process)


def process(
    files: Annotated[list[Path], typer.Argument(help="Movies.")],
    processing: o.Processing,
    settings: o.SettingsFile = None,
    assignments: o.Assignments = None,
    device: o.Device = "auto",
    as_json: o.AsJson = False,
) -> None:
    """Process movies here and now; ends in 1 when one of them failed."""

    from warpcore.cli.devices import use_device
    from warpcore.cli.initial_settings import settings_from
    from warpcore.cli.preflight import processing_directory_fault
    from warpcore.services.process.logs import log_to_stderr

    chosen = settings_from(settings, assignments or [])
    fault = processing_directory_fault(processing)
    if fault:
        raise CliError(fault)
    log_to_stderr(level="WARNING")
    from warpcore.services.worker.devices import DeviceError

    try:
        outcomes = _processed(files, chosen, processing, use_device(device))
    except DeviceError as error:
        raise CliError(str(error)) from None
    _report(outcomes, as_json)


def _processed(files: list[Path], chosen: Settings, processing: Path, device: str) -> list[FileOutcome]:
    from warpcore.services.worker.local import process_files

    with output.progress() as progress:
        bar = progress.add_task("", total=1.0)

        def show(name: str, step: str, fraction: float, message: str) -> None:
            progress.update(bar, description=f"{name} {step}", completed=fraction)

        return process_files(_movies(files, chosen), chosen, processing, show, device=device)


def _movies(files: list[Path], settings: Settings) -> list[Path]:
    """The files without those that settings name: a gain among the movies is no movie."""
    from warpcore.services.session.named_files import NamedFiles, named_files

    named = NamedFiles(named_files(settings.to_dict()))
    for path in filter(named.have, files):
        output.note(f"left out: {path}: a setting names it, so it is no movie")
    return [path for path in files if not named.have(path)]


def _report(outcomes: list[FileOutcome], as_json: bool) -> None:
    from warpcore.cli.items import chosen_columns, step_notes

    if as_json:
        output.as_json([outcome_document(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            if outcome.failure is None:
                values = (
                    f"{column.noun} {column.text(outcome.results)} {column.unit}".rstrip()
                    for column in chosen_columns(None)
                )
                output.data(f"{outcome.name}: {', '.join(values)}")
                for note in step_notes(outcome.results):
                    output.note(f"{outcome.name}: {note}")
    for outcome in outcomes:
        if outcome.failure is not None:
            output.fail(f"{outcome.path}: {outcome.failure.kind} in {outcome.failure.step}: {outcome.failure.message}")
    failed = sum(outcome.failure is not None for outcome in outcomes)
    if failed:
        raise CliError(f"{failed} of {len(outcomes)} movies failed")


def outcome_document(outcome: FileOutcome) -> dict[str, object]:
    """One file's outcome as JSON."""
    return {
        "path": str(outcome.path),
        "name": outcome.name,
        "status": outcome.status,
        "failure": outcome.failure.to_body() if outcome.failure else None,
        "results": outcome.results,
    }
