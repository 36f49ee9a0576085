"""`warpcore import-warp`: takes up a folder that Warp has processed; results are shown, and nothing runs."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from warpcore.cli import output
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.services.formats.warp_xml import MovieXml
    from warpcore.services.session.movie_record import MovieRecordFile
    from warpcore.services.session.settings import Settings

_MOVIES = (".tif", ".tiff", ".mrc", ".mrcs", ".eer")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import-warp", rich_help_panel="Without services")(import_warp)


def import_warp(
    folder: Annotated[Path, typer.Argument(help="Folder in which Warp has written its XML files and averages.")],
    data: Annotated[
        Path | None, typer.Option(help="Directory of the movies.", show_default="the one that the XML files name")
    ] = None,
) -> None:
    """Take up what Warp has measured: records, lists and settings in the same folder. Nothing runs or is replaced."""
    from warpcore.cli.local_session import LocalSession, plain_path, session_fault
    from warpcore.services.scheduler.shell.lock import SessionError, locked
    from warpcore.services.session.movie_record import FOLDER, record_path
    from warpcore.services.session.paths import write_text_whole

    folder = plain_path(folder)
    found = _read(folder)
    if not found:
        raise CliError(f"{folder}: no XML of a movie of Warp's lies there")
    movies = _data_directory(folder, data, next(iter(found.values())))
    settings = _settings(folder, movies, next(iter(found.values())))
    if fault := session_fault(folder):
        raise CliError(fault)
    try:
        with locked(folder):
            records = [one for name, xml in found.items() if (one := _record(name, xml, folder, movies, settings))]
            for record in records:
                write_text_whole(folder / record_path(record.name), record.text, durable=False)
            LocalSession(movies, folder, settings, [], records, "").finish()
    except SessionError as error:
        raise CliError(str(error)) from None
    if len(records) < len(found):
        output.note(f"{len(found) - len(records)} movies are left out: their files are not in {movies} (--data)")
    output.data(f"{output.counted(len(records))} of Warp's taken up in {folder / FOLDER}")
    where = shlex.join(["--data", str(movies), "--processing", str(folder)])
    output.note(f"to show them: warpcore scheduler --rebuild {where}, then warpcore up --paused {where}")


def _read(folder: Path) -> dict[str, MovieXml]:
    """The movies' XML by name; another XML is told and left out."""
    from warpcore.services.formats.warp_xml_reading import read_movie_xml
    from warpcore.services.session.errors import InputError

    found = {}
    for path in sorted(folder.glob("*.xml")):
        try:
            found[path.stem] = read_movie_xml(path)
        except InputError as error:
            output.note(f"left out: {error}")
    return found


def _data_directory(folder: Path, given: Path | None, xml: MovieXml) -> Path:
    from warpcore.cli.local_session import plain_path

    named = plain_path(folder / xml.data_directory) if xml.data_directory else folder.parent
    data = plain_path(given) if given is not None else named
    if not data.is_dir():
        raise CliError(f"{data}: the directory of the movies is not there; name it with --data")
    return data


def _settings(folder: Path, data: Path, xml: MovieXml) -> Settings:
    """Those that Warp has saved in the folder, and over them what the first movie's options tell."""
    from warpcore.cli.warp_settings import SUFFIX, load_any_settings
    from warpcore.services.formats.warp_results import warp_settings_of
    from warpcore.services.session.settings import Settings, patch_settings

    saved = folder / f"previous{SUFFIX}"
    base = load_any_settings(saved) if saved.exists() else Settings()
    patch: dict[str, dict[str, Any]] = warp_settings_of(xml)
    patch.setdefault("import", {})["data"] = str(data)
    patch["picking"] = {"enabled": False}  # its picks are files of its own, which no step of ours has scored
    return patch_settings(base, patch)


def _record(name: str, xml: MovieXml, folder: Path, data: Path, settings: Settings) -> MovieRecordFile | None:
    """What is known of a movie; None where its file is gone. Steps that Warp did count as done under these settings."""
    from dataclasses import replace

    from warpcore.services.formats.warp_results import warp_results
    from warpcore.services.steps.export import AVERAGE, MOVIE_XML
    from warpcore.services.worker.local_files import LocalFile, looked_at, planned

    candidates = (data / f"{name}{suffix}" for suffix in _MOVIES)
    movie = next((one for one in candidates if one.is_file()), None)
    if movie is None:
        return None
    file = LocalFile(data, movie.name)
    known = looked_at(file, None, settings)
    wanted = planned(file, known, settings, folder, "", resume=False).task.wanted
    average = AVERAGE.path(name) if (folder / AVERAGE.path(name)).is_file() else None
    results = warp_results(xml, average)
    done = {step: wanted[step] for step in wanted if step in results}
    outputs = {"export": [path for path in (MOVIE_XML.path(name), average) if path is not None]}
    return replace(known, fingerprints=done, results=results, outputs=outputs)
