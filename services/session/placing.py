"""How outputs come to their names: lists of plain operations, which a crash may cut anywhere.

A worker writes into a folder of its own, `.warpcore/staging/<lease>`. Whoever holds the truth (the scheduler, or
`warpcore process`) places the files: it keeps the former ones, takes the folder over by renaming it, so that nothing
that its writer still does reaches it, and moves the files to their final names. After a crash the same is done again:
`place` looks at what is there, and does the rest.

All paths are relative to the processing directory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from warpcore.services.session import file_operations as do
from warpcore.services.session.allowed import OWN_FOLDER, is_output
from warpcore.services.session.file_operations import Files, Operation
from warpcore.services.session.generations import (
    KEPT_GENERATIONS,
    Generation,
    generation_from,
    kept_folder,
    kept_home,
    manifest_of,
    manifest_path,
)
from warpcore.services.session.movie_record import record_path

STAGING = f"{OWN_FOLDER}/staging"
"""Where workers write, a folder for each lease."""
PLACING = f"{OWN_FOLDER}/placing"
"""Where those of these folders lie that are being placed."""


class IncompleteError(Exception):
    """What was reported is not there, so nothing was changed; one line that names the file."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left to do, in order, and the keys of the generations that are kept then, newest last."""

    operations: list[Operation]
    kept: list[str]


# --- new outputs -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Placement:
    """What a task has made of the movie `root`, and what is to become of it.

    `folder` is the name of its folder under `STAGING`. `staged` gives for each final path the name of the file in it
    and its bytes, `unchanged` the final paths where the same bytes stand already. `stale` are outputs that are no
    longer made. `before` is kept first, unless it has no fingerprints. A try lies below `target`, and gets links to
    the session's files that are `unchanged`, and to those `linked` that are there. `record` is the text of the movie's
    record, "" for none.
    """

    root: str
    folder: str
    staged: dict[str, tuple[str, int]] = field(default_factory=dict)
    unchanged: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    before: Generation = field(default_factory=Generation)
    target: str = ""
    linked: list[str] = field(default_factory=list)
    record: str = ""

    @property
    def written_in(self) -> str:
        """The folder that the task wrote to."""
        return f"{STAGING}/{self.folder}"

    @property
    def placed_from(self) -> str:
        """The same folder, once it was taken over."""
        return f"{PLACING}/{self.folder}"

    def final(self, path: str) -> str:
        """Where an output goes."""
        return f"{self.target}/{path}" if self.target else path


def place(files: Files, placement: Placement) -> list[str]:
    """Place outputs, or go on where an earlier call ended; returns the keys of the generations that are kept.

    Raises IncompleteError, and OSError where the file system does not let it; then it can be called again.
    """
    plan = plan_placing(placement, files)
    for operation in plan.operations:
        files.carry_out(operation)
    check_placed(placement, files)
    return plan.kept


def check_placed(placement: Placement, files: Files) -> None:
    """Raises IncompleteError where a file is not in place after all: its file system was unmounted meanwhile.

    A source that is missing counts as moved before, also where nothing of the session is there any more.
    """
    for path, (_, size) in placement.staged.items():
        if files.size(placement.final(path)) != size:
            raise IncompleteError(f"{placement.final(path)} was not put in place; was its file system unmounted?")


def plan_placing(placement: Placement, files: Files) -> Plan:
    """What is left to do. Raises IncompleteError where the task's folder was not taken over and is not whole."""
    if refused := next((path for path in (*placement.staged, *placement.unchanged) if not is_output(path)), None):
        raise IncompleteError(f"{refused!r} is no name of an output; nothing was put in place")
    if files.has_folder(placement.placed_from):
        # Some files may be in place already, so what is there is no longer the former generation.
        return Plan([*_moves(placement, files)], _newest(files.folders(kept_home(placement.root))))
    _check_whole(placement, files)
    keeping = _plan_keeping(placement.root, placement.before, files)
    taking: list[Operation] = [do.MakeFolder(PLACING), do.Move(placement.written_in, placement.placed_from)]
    if not placement.staged:
        taking = []  # nothing comes out of that folder, so whatever is still written to it does no harm
    return Plan([*keeping.operations, *taking, *_moves(placement, files)], keeping.kept)


def drop(files: Files, folder: str) -> None:
    """Delete the folder of a task that was placed, or whose lease has ended without."""
    files.carry_out(do.RemoveFolder(f"{PLACING}/{folder}"))
    files.carry_out(do.RemoveFolder(f"{STAGING}/{folder}"))


def forget(files: Files, root: str, outputs: Iterable[str] = ()) -> None:
    """Delete what is known of a movie that is forgotten: its record, outputs kept for going back, and these outputs."""
    for path in outputs:
        files.carry_out(do.RemoveFile(path))
    files.carry_out(do.RemoveFile(record_path(root)))
    files.carry_out(do.RemoveFolder(kept_home(root)))


def folders_of_tasks(files: Files) -> set[str]:
    """The names of all folders that tasks have written to and that are still there."""
    return {*files.folders(STAGING), *files.folders(PLACING)}


def _check_whole(placement: Placement, files: Files) -> None:
    for path, (name, size) in placement.staged.items():
        found = files.size(f"{placement.written_in}/{name}")
        if found != size:
            there = "is not there" if found is None else f"has {found} bytes, not the {size} that were reported"
            raise IncompleteError(
                f"{path} was written, but {placement.written_in}/{name} {there}; "
                "does the worker see the same processing directory?"
            )
    for path in placement.unchanged:
        if files.size(path) is None:
            raise IncompleteError(f"{path} was reported as unchanged, but it is not there")


def _moves(placement: Placement, files: Files) -> Iterator[Operation]:
    finals = {placement.final(path): name for path, (name, _) in placement.staged.items()}
    of_session = [*placement.linked, *placement.unchanged] if placement.target else []
    linked = {placement.final(path): path for path in of_session if files.size(path) is not None}
    stale = [placement.final(path) for path in placement.stale if is_output(path)]
    folders = _parents([*linked, *finals])
    yield from map(do.MakeFolder, folders)
    for final, path in linked.items():
        yield from _link_over(path, final)
    for final, name in finals.items():
        yield do.Move(f"{placement.placed_from}/{name}", final)
    yield from map(do.RemoveFile, stale)
    if placement.record:
        yield from _record(placement.root, placement.record)
    yield from map(do.Flush, folders)


def _record(root: str, text: str) -> Iterator[Operation]:
    # A lost one costs a rebuilt state this movie's results; to flush each would cost every movie some time.
    yield do.Write(record_path(root), text, durable=False)


# --- kept outputs ------------------------------------------------------------------------------------------------


def restore(
    files: Files, root: str, key: str, present: Generation, record: Callable[[Generation], str] | None = None
) -> tuple[Generation | None, list[str]]:
    """Put a kept generation's files back in place of the present ones, which are kept in turn.

    `record` gives the text of the movie's record. Returns the generation and the keys that are kept now. The generation
    is None where it cannot be restored: then no output has changed. Raises OSError; then it can be called again, with a
    `present` that has no fingerprints.
    """
    generation = kept(files, root, key)
    if generation is not None:
        # The newest stay: the one that is wanted must not go to make room for the present one.
        files.carry_out(do.Renew(kept_folder(root, key)))
    plan = _plan_keeping(root, present, files)
    operations = plan.operations
    if generation is not None:
        operations = [*operations, *_put_back(root, generation, present)]
        if record is not None:
            operations += _record(root, record(generation))
    for operation in operations:
        files.carry_out(operation)
    return generation, plan.kept


def kept(files: Files, root: str, key: str) -> Generation | None:
    """A kept generation; None where it is missing or not whole."""
    manifest = files.text(manifest_path(root, key))
    generation = generation_from(manifest) if manifest is not None else None
    if generation is None or generation.key != key:
        return None
    numbered = (f"{kept_folder(root, key)}/{number}" for number in range(len(generation.files)))
    return generation if all(files.size(path) is not None for path in numbered) else None


def _put_back(root: str, generation: Generation, present: Generation) -> Iterator[Operation]:
    folders = _parents(generation.files)
    yield from map(do.MakeFolder, folders)
    for number, path in enumerate(generation.files):
        yield from _link_over(f"{kept_folder(root, generation.key)}/{number}", path)
    for path in sorted(set(present.files) - set(generation.files)):
        if is_output(path):
            yield do.RemoveFile(path)
            yield do.RemoveFile(_temporary(path))
    yield from map(do.Flush, folders)


def _plan_keeping(root: str, generation: Generation, files: Files) -> Plan:
    """Keep the present outputs, if they have fingerprints; not where a file is missing: they could not be restored."""
    keys, operations = files.folders(kept_home(root)), list[Operation]()
    if generation.fingerprints and generation.files and all(files.size(path) is not None for path in generation.files):
        folder = kept_folder(root, generation.key)
        keys = [*(key for key in keys if key != generation.key), generation.key]
        operations += [do.RemoveFolder(folder), do.MakeFolder(folder)]
        operations += [do.Link(path, f"{folder}/{number}") for number, path in enumerate(generation.files)]
        operations.append(do.Write(manifest_path(root, generation.key), manifest_of(generation)))
    newest = _newest(keys)
    operations += [do.RemoveFolder(kept_folder(root, key)) for key in keys if key not in newest]
    return Plan(operations, newest)


def _newest(keys: Sequence[str]) -> list[str]:
    return list(keys[-KEPT_GENERATIONS:])


def _link_over(source: str, target: str) -> Iterator[Operation]:
    """Give a file a second name in place of another file; readers see the old one or the new one.

    Where both are links to one file already, the rename does nothing and leaves its source behind.
    """
    temporary = _temporary(target)
    yield do.Link(source, temporary)
    yield do.Move(temporary, target)
    yield do.RemoveFile(temporary)


def _temporary(target: str) -> str:
    """Where a link waits for its rename."""
    path = PurePosixPath(target)
    return str(path.with_name(f".{path.name}.restored"))


def _parents(paths: Iterable[str]) -> list[str]:
    return sorted({_parent(path) for path in paths})


def _parent(path: str) -> str:
    return path.rpartition("/")[0] or "."
