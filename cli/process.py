"""`warpcore process`: the same steps on named files in this process, without services."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.services.session.settings import Settings
    from warpcore.services.worker.local import FileOutcome, Progress
    from warpcore.services.worker.local_files import LocalFile

Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Only what an earlier run has not done under these settings, or of which a file is gone."
    ),
]
DataDirectory = Annotated[
    Path | None,
    typer.Option(
        "--data",
        help="Directory below which all movies lie; they are named from there.",
        show_default="that of earlier runs, else the deepest folder that holds them all",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(rich_help_panel="Without services")(process)


def process(
    files: Annotated[list[Path], typer.Argument(help="Movies.")],
    processing: o.Processing,
    data: DataDirectory = None,
    settings: o.SettingsFile = None,
    assignments: o.Assignments = None,
    resume: Resume = False,
    device: o.Device = "auto",
    group_writable: o.GroupWritable = False,
    as_json: o.AsJson = False,
) -> None:
    """Process movies here and now, and leave the lists that a session leaves; ends in 1 when one of them failed."""

    from warpcore.cli.initial_settings import settings_from
    from warpcore.cli.local_movies import named_movies
    from warpcore.cli.local_session import data_directory, plain_path
    from warpcore.services.session.paths import let_group_write
    from warpcore.services.worker.local_files import LocalFile

    if group_writable:
        let_group_write()
    chosen = settings_from(settings, assignments or [])
    movies = named_movies([plain_path(path) for path in files], chosen)
    below = data_directory(movies, data, processing)
    found = [LocalFile(below, path.relative_to(below).as_posix()) for path in movies]
    process_below(below, found, chosen, processing, resume=resume, device=device, as_json=as_json)


def process_below(
    data: Path,
    files: Sequence[LocalFile],
    settings: Settings,
    processing: Path,
    *,
    resume: bool,
    device: str,
    as_json: bool,
) -> None:
    """Process files of the directory `data`, write the lists, and tell what became of each. Raises CliError."""
    from warpcore.cli.devices import use_device
    from warpcore.cli.local_session import plain_path, session_fault
    from warpcore.cli.preflight import processing_directory_fault
    from warpcore.services.process.logs import log_to_stderr
    from warpcore.services.scheduler.shell.lock import SessionError, locked
    from warpcore.services.worker.devices import DeviceError

    processing = plain_path(processing)
    if fault := processing_directory_fault(processing) or session_fault(processing):
        raise CliError(fault)
    log_to_stderr(level="WARNING")
    settings = settings.model_copy(update={"import_": settings.import_.model_copy(update={"data": str(data)})})
    try:
        with locked(processing):
            outcomes = _processed(data, files, settings, processing, use_device(device), resume, as_json)
    except (DeviceError, SessionError) as error:
        raise CliError(str(error)) from None
    _report(outcomes, settings, as_json)


def _processed(
    data: Path,
    files: Sequence[LocalFile],
    settings: Settings,
    processing: Path,
    device: str,
    resume: bool,
    as_json: bool,
) -> list[FileOutcome]:
    from warpcore.cli.local_movies import taken_files, tell_values
    from warpcore.cli.local_session import LocalSession, records_of
    from warpcore.services.scheduler.shell.references import check_fit, check_gain, check_kinds, check_references
    from warpcore.services.session.settings import Settings, SettingsError
    from warpcore.services.worker.local import process_movies
    from warpcore.services.worker.local_files import looked_at, planned

    references, faults = check_references(settings)
    faults = faults or check_kinds(settings, Settings()) or check_fit(settings.import_, [])
    if faults := faults or check_gain(settings.import_.gain_path):
        raise SettingsError(faults)
    records = records_of(processing)
    looked = taken_files([(file, looked_at(file, records.get(file.name), settings)) for file in files], settings)
    plans = [planned(file, before, settings, processing, references, resume=resume) for file, before in looked]
    tell_values([before for file, before in looked if file.absolute.exists()], settings)
    session = LocalSession(data, processing, settings, plans, records.values(), references)
    outcomes: list[FileOutcome] = []
    try:
        with _shown(len(plans)) as (show, count):
            for outcome, plan in zip(process_movies(plans, processing, show, device=device), plans, strict=True):
                outcomes.append(session.take(outcome, plan))
                count()
                if not as_json:
                    _tell(outcomes[-1])
    finally:
        session.finish()
    return outcomes


@contextmanager
def _shown(movies: int) -> Iterator[tuple[Progress, Callable[[], Any]]]:
    """Progress on a terminal: what to call with that of a movie, and what when one has ended."""
    with output.progress() as progress:
        bar = progress.add_task("", total=movies)

        def show(name: str, step: str, fraction: float, message: str) -> None:
            progress.update(bar, description=f"{name} {step} {100 * fraction:.0f} %")

        yield show, lambda: progress.advance(bar)


def _tell(outcome: FileOutcome) -> None:
    """Say what became of a file, as soon as it is known."""
    from warpcore.cli.items import chosen_columns, step_notes

    if outcome.failure is not None:
        return
    known = [column for column in chosen_columns(None) if column.value(outcome.results) is not None]
    values = (f"{column.noun} {column.text(outcome.results)} {column.unit}".rstrip() for column in known)
    done = "" if outcome.ran else " (done before)"
    output.data_line(f"{outcome.name}: {', '.join(values) or 'processed'}{done}")
    if outcome.filter_reasons:
        output.note(f"{outcome.name}: filtered out: {'; '.join(outcome.filter_reasons)}")
    for note in step_notes(outcome.results):
        if note not in outcome.filter_reasons:
            output.note(f"{outcome.name}: {note}")


def _report(outcomes: list[FileOutcome], settings: Settings, as_json: bool) -> None:
    from warpcore.services.scheduler.core.notices import unlikely_dose
    from warpcore.services.steps.step import INPUT

    if as_json:
        output.as_json([outcome_document(outcome) for outcome in outcomes])
    for outcome in outcomes:
        if outcome.failure is not None:
            reason = outcome.failure.message.removeprefix(f"{outcome.path}: ")
            output.fail(f"{outcome.path}: {outcome.failure.kind} in {outcome.failure.step}: {reason}")
    failed = sum(outcome.failure is not None for outcome in outcomes)
    filtered = sum(bool(outcome.filter_reasons) for outcome in outcomes)
    inputs = [outcome.results[INPUT] for outcome in outcomes if INPUT in outcome.results]
    for text in unlikely_dose(inputs, settings.export.dose_weighting):
        output.note(text)
    if filtered:
        output.note(f"{filtered} of {len(outcomes)} movies are filtered out, and are in no STAR file")
    if failed:
        raise CliError(f"{failed} of {len(outcomes)} movies failed")


def outcome_document(outcome: FileOutcome) -> dict[str, object]:
    """One file's outcome as JSON."""
    return {
        "path": str(outcome.path),
        "name": outcome.name,
        "status": outcome.status,
        "failure": outcome.failure.to_body() if outcome.failure else None,
        "filter_reasons": outcome.filter_reasons,
        "results": outcome.results,
        "ran": list(outcome.ran),
    }
