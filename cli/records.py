"""`warpcore records …`: what is handed on with the results. Needs no session."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from warpcore.cli import options as o
from warpcore.cli import output
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.services.records.processed import Processed

SHOWN = 20
"""Files that `--verify` names; it counts all."""

GROUP = typer.Typer(no_args_is_help=True, help="Checksums, tables for archives, and words for a paper.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (manifest, methods, empiar, oscem, cryosparc):
        GROUP.command()(command)
    app.add_typer(GROUP, name="records", rich_help_panel="Without services")


def manifest(
    processing: o.Processing,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare the files with the manifest; ends in 1 where they differ.")
    ] = False,
) -> None:
    """Write manifest.json: each file's bytes and SHA-256. Again, or after a kill, only what has changed is read."""
    from warpcore.services.process.versions import warpcore_version
    from warpcore.services.records import manifest as manifests
    from warpcore.services.session.errors import InputError

    if not verify:
        with _progress("checksums") as show:
            made, read = manifests.make_manifest(processing, f"warpcore {warpcore_version()}", show)
        size = sum(entry.size for entry in made.files.values())
        output.data(f"{processing / manifests.MANIFEST}: {len(made.files)} files, {size:,} bytes; {read} were read")
        return
    try:
        known = manifests.read_manifest(processing)
        if not known.complete:
            raise CliError(f"{processing / manifests.MANIFEST} is not complete; run `warpcore records manifest` again")
        with _progress("comparing") as show:
            found = manifests.verify(processing, known, show)
    except FileNotFoundError:
        raise CliError(f"{processing} has no {manifests.MANIFEST}; make it before the files are moved") from None
    except InputError as error:
        raise CliError(str(error)) from None
    _tell(found.missing, "missing")
    _tell(found.changed, "changed")
    for path in found.added[:SHOWN]:
        output.note(f"not in the manifest: {path}")
    if found.missing or found.changed:
        raise CliError(f"{len(found.missing)} files are missing, {len(found.changed)} have changed")
    output.data(f"{len(known.files)} files are as in the manifest; {len(found.added)} are not in it")


def methods(processing: o.Processing) -> None:
    """Print a paragraph for the methods of a paper, with versions and settings."""
    from warpcore.services.process.versions import warpcore_version
    from warpcore.services.records.methods import methods_text

    output.data(methods_text(_processed(processing), warpcore_version()).rstrip("\n"))


def empiar(
    processing: o.Processing,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated values instead of JSON.")] = False,
) -> None:
    """Print EMPIAR's table of image sets, as the JSON of a deposition holds it."""
    from warpcore.services.records.empiar import image_sets
    from warpcore.services.session.errors import InputError

    try:
        sets = image_sets(_processed(processing))
    except InputError as error:
        raise CliError(str(error)) from None
    if not as_csv:
        output.as_json({"imagesets": sets})
        return
    columns = list(dict.fromkeys(name for one in sets for name in one))
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(sets)
    output.data(text.getvalue().rstrip("\n"))


def oscem(processing: o.Processing) -> None:
    """Print the session as OSC-EM describes single-particle data; what must be filled in is told on stderr."""
    from warpcore.services.records.oscem import oscem_document

    document, missing = oscem_document(_processed(processing))
    output.data(json.dumps(document, indent=2, ensure_ascii=False))
    for name in missing:
        output.note(f"not known, fill it in: {name}")


def cryosparc(
    processing: o.Processing,
    link: Annotated[
        str, typer.Option(help="Name under which the processing directory is linked into cryoSPARC's project.")
    ] = "warpcore",
    micrographs: Annotated[
        Path | None,
        typer.Option(help="Dataset (.cs) of the same averages as cryoSPARC has imported them: they keep their uids."),
    ] = None,
) -> None:
    """Write cryosparc/exposures.cs (averages, CTF, exposure groups) and cryosparc/picks.cs for cryosparc-tools."""
    from warpcore.services.formats.cryosparc import read_exposure_uids, write_dataset
    from warpcore.services.records.cryosparc import cryosparc_datasets
    from warpcore.services.session.errors import InputError

    try:
        uids = None if micrographs is None else read_exposure_uids(micrographs)
        exposures, picks, without = cryosparc_datasets(_processed(processing), link, uids)
    except InputError as error:
        raise CliError(str(error)) from None
    for name, dataset in (("exposures", exposures), ("picks", picks)):
        if dataset is not None:
            write_dataset(processing / "cryosparc" / f"{name}.cs", dataset)
            output.data(f"{processing / 'cryosparc' / name}.cs: {len(dataset)} rows")
    if without:
        output.note(f"left out, since they have no CTF: {without} micrographs")


def _processed(processing: Path) -> Processed:
    from warpcore.services.records.processed import read_processed
    from warpcore.services.session.errors import InputError

    try:
        return read_processed(processing)
    except InputError as error:
        raise CliError(str(error)) from None


def _tell(paths: list[str], what: str) -> None:
    for path in paths[:SHOWN]:
        output.fail(f"{path}: {what}")
    if len(paths) > SHOWN:
        output.fail(f"{len(paths) - SHOWN} more are {what}")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    with output.progress() as progress:
        bar = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)
