"""Keeps each movie's optics group as settings, headers and metadata say. A group changes no result: no step runs."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import PurePosixPath

from warpcore.bus.messages import Acquisition
from warpcore.services.scheduler.core import rows
from warpcore.services.scheduler.core.effects import SaveLastGroup, SaveMovie
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.beam_shifts import Shift
from warpcore.services.session.optics_groups import LARGEST_SHIFT, Grouped, OpticsGroups, name_part
from warpcore.services.session.settings import Settings


def regroup(state: State) -> None:
    """Find the groups of the movies that have come, gone or learnt; of all, where the settings are others."""
    by = _grouped_by(state.settings)
    if state.groups is None or state.grouped_by != by:
        state.groups, state.grouped_by = OpticsGroups(state.last_optics_group), by
        state.ungrouped = dict.fromkeys(state.movies)
    if not state.ungrouped:
        return
    groups = state.groups
    for id in state.ungrouped:
        movie = state.movies.get(id)
        if movie is not None:
            groups.put(id, grouped(state, movie), movie.founded_group)
        elif id in groups:
            groups.drop(id)
    state.ungrouped = {}
    told = sorted(groups.settle())
    _tell(state, [movie for movie in map(state.movies.__getitem__, told) if _is_news(movie, groups)])
    if groups.last != state.last_optics_group:
        state.last_optics_group = groups.last
        state.effects.append(SaveLastGroup(groups.last))


def grouped(state: State, movie: MovieRecord) -> Grouped:
    """What a movie's group follows from under the present settings."""
    settings = state.learning.of(movie.facts).resolved.settings
    return grouped_as(movie.path, settings, movie.acquisition, movie.facts.longest_px)


def grouped_as(path: str, settings: Settings, told: Acquisition | None, longest_px: int | None) -> Grouped:
    """What the group of the movie at `path` follows from: its resolved settings, its metadata, its longer side."""
    ctf, importing = settings.ctf, settings.import_
    optics = (ctf.voltage, ctf.cs, ctf.amplitude_contrast, importing.pixel_size, longest_px)
    name = _named(path, told, importing.optics_group_pattern)
    shift = _shift(told)
    part: str | None = None
    match importing.optics_groups:
        case "auto" if shift is None or (name is not None and shift == (0.0, 0.0)):
            # Scripts that shift the beam by themselves leave 0 0 in SerialEM's mdoc, and the position in the name.
            part, shift = name, None
        case "name":
            part, shift = name, None
        case "folder":
            part, shift = str(PurePosixPath(path).parent), None
        case "none":
            shift = None
    key: Hashable = (optics, part)
    return Grouped(path, key, shift, told.kind if told is not None and shift is not None else "")


def _shift(told: Acquisition | None) -> Shift | None:
    """The beam shift that metadata tell, None where it is not told, or cannot be."""
    if told is None or told.beam_shift_x is None or told.beam_shift_y is None:
        return None
    shift = told.beam_shift_x, told.beam_shift_y
    return shift if max(map(abs, shift)) <= LARGEST_SHIFT else None


def _named(path: str, told: Acquisition | None, pattern: str | None) -> str | None:
    if pattern is not None:
        return name_part(pattern, PurePosixPath(path).stem)
    return told.area if told is not None else None


def _grouped_by(settings: Settings) -> Hashable:
    """The settings that groups follow from."""
    ctf, importing = settings.ctf, settings.import_
    of_optics = ctf.voltage, ctf.cs, ctf.amplitude_contrast, importing.pixel_size
    return *of_optics, importing.optics_groups, importing.optics_group_pattern


def _is_news(movie: MovieRecord, groups: OpticsGroups) -> bool:
    return (movie.optics_group, movie.founded_group) != (groups.group(movie.id), groups.founded(movie.id))


def _tell(state: State, movies: list[MovieRecord]) -> None:
    """Store and publish new groups; where they are very many, subscribers take a snapshot instead."""
    assert state.groups is not None
    many = len(movies) >= state.bulk_changes
    if many:
        state.cut_log()
    for movie in movies:
        movie.optics_group, movie.founded_group = state.groups.group(movie.id), state.groups.founded(movie.id)
        if many:
            state.effects.append(SaveMovie(rows.movie_row(movie)))
        else:
            state.changed(movie)
