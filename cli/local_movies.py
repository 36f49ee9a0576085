"""Which of the files that `warpcore process` is given are movies, and what is told of their values beforehand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from warpcore.cli import output
from warpcore.cli.errors import CliError

if TYPE_CHECKING:
    from warpcore.services.session.movie_record import MovieRecordFile
    from warpcore.services.session.settings import Settings
    from warpcore.services.worker.local_files import LocalFile

    Looked = tuple[LocalFile, MovieRecordFile]

_NONE_LEFT = "no movies are left to process"


def named_movies(files: list[Path], settings: Settings) -> list[Path]:
    """The files without those that settings name: a gain among the movies is no movie. Raises CliError."""
    from warpcore.services.session.named_files import NamedFiles, named_files

    named = NamedFiles(named_files(settings.to_dict()))
    for path in filter(named.have, files):
        output.note(f"left out: {path}: a setting names it, so it is no movie")
    movies = [path for path in files if not named.have(path)]
    if not movies:
        raise CliError(_NONE_LEFT)
    for path in filter(Path.is_dir, movies):
        raise CliError(f"{path} is a directory; name its movies, such as {path}/*.tif")
    return movies


def taken_files(looked: Sequence[Looked], settings: Settings) -> list[Looked]:
    """The files without references, averages and overviews, as in a session; averages of a STAR file stay.

    Raises CliError where none is left.
    """
    from warpcore.services.discoverer.judging import why_not_taken
    from warpcore.services.discoverer.listing import Watched
    from warpcore.services.readers.averages import contents_of
    from warpcore.services.readers.metadata.header import file_header

    watched = Watched(tuple(settings.import_.patterns), recursive=True)
    taken = []
    for file, before in looked:
        no_movie = None
        # Movies of several frames are movies; what cannot be read fails, and says why.
        if file.motion is None and (before.header or {}).get("frames") == 1 and (found := contents_of(file.absolute)):
            no_movie = why_not_taken(file.data, file.path, found, file_header(file.absolute), watched)
        if no_movie is None:
            taken.append((file, before))
        else:
            asked = f"--set 'import.patterns=[\"{file.absolute.name}\"]'"
            output.note(f"left out: {file.absolute}: {no_movie.reason}; to process it all the same: {asked}")
    if not taken:
        raise CliError(_NONE_LEFT)
    return taken


def tell_values(movies: Sequence[MovieRecordFile], settings: Settings) -> None:
    """Say what is assumed for all movies, and each contradiction once, as a session's status and alarms do."""
    from warpcore.services.scheduler.core.notices import assumed_for_all
    from warpcore.services.worker.local_files import resolved_for

    found = [resolved_for(movie, settings) for movie in movies]
    for text in assumed_for_all(found):
        output.note(text)
    conflicts = Counter(text for one in found for text in one.conflicts.values())
    for text, count in conflicts.items():
        output.note(f"{text} ({output.counted(count)})")
