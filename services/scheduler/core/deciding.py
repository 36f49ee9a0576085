"""What a change of settings, of reference files or of outputs on disk makes of all movies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import DONE, MovieStatus
from warpcore.services.scheduler.core import exporting, requests, restoring_outputs, tasks
from warpcore.services.scheduler.core.effects import OutputsMissing, SaveSettings, Started
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.fingerprints import FingerprintPlan, followers
from warpcore.services.session.settings import Settings, changed_names


def change_settings(state: State, settings: Settings, references: str, whole: bool) -> None:
    """Put settings in force: exactly the movies and steps that they touch become outdated, or done again."""
    names = changed_names(state.settings, settings)
    kept = {} if whole else _still_set_aside(state, names)
    if names or references != state.references or kept != state.set_aside:
        state.set_aside = kept
        state.revision += 1
        _adopt(state, settings, references)
        state.publish("settings.changed", wire.SettingsEvent(settings.to_dict(), state.revision, names))
        _reconsider_all(state, f"settings {state.revision}")
    state.reply(wire.SettingsReply(settings.to_dict(), state.revision, state.counts[MovieStatus.OUTDATED]))


def start(state: State, stimulus: Started) -> None:
    """Begin a run: reference files may have been replaced, and the steps' methods may be newer than the results."""
    if state.derived or state.migrated:
        # The state differs from the rows, and perhaps from what the log told: subscribers take a snapshot.
        state.cut_log()
        state.derived = 0
    references = state.references if stimulus.references is None else stimulus.references
    if references != state.references or state.migrated:
        _adopt(state, state.settings, references)
        state.migrated = False
    if stimulus.paused is not None:
        requests.pause(state, stimulus.paused)
    _reconsider_all(state, "start")
    restoring_outputs.resume(state)


def outputs_missing(state: State, stimulus: OutputsMissing) -> None:
    """Files are gone: their step and those that build on it run again. Results made since the look are left alone."""
    movie = state.movies.get(stimulus.movie)
    if movie is None or movie.status not in DONE:
        return
    gone = [step for step, made_with in stimulus.steps.items() if movie.fingerprints.get(step) == made_with]
    if not gone:
        return
    again = {*gone, *followers(gone, state.settings)}
    movie.fingerprints = {step: made for step, made in movie.fingerprints.items() if step not in again}
    tasks.reconsider(state, movie, f"outputs of {', '.join(gone)} are gone")


def _still_set_aside(state: State, changed: list[str]) -> dict[str, Any]:
    """What stays set aside after these settings were changed: all for which there is no new value."""
    return {
        name: value
        for name, value in state.set_aside.items()
        if not [one for one in changed if one == name or one.startswith(f"{name}.")]
    }


def _adopt(state: State, settings: Settings, references: str) -> None:
    state.settings, state.references = settings, references
    state.plan = FingerprintPlan(settings, references)
    state.effects.append(SaveSettings(settings.to_dict(), state.revision, references, dict(state.set_aside)))


def _reconsider_all(state: State, why: str) -> None:
    changes = list(_changes(state))
    state.quiet = len(changes) >= state.bulk_changes
    if state.quiet:
        state.cut_log()
    try:
        for movie, status, needed, reasons in changes:
            if status == MovieStatus.FAILED:
                movie.forget_failures()
                tasks.wait_again(state, movie, f"{why} touch the step that failed")
            else:
                _revise(state, movie, status, needed, reasons, why)
    finally:
        state.quiet = False


def _revise(
    state: State, movie: MovieRecord, status: MovieStatus, needed: list[str], reasons: list[str], why: str
) -> None:
    """Give a movie the status that was decided. A bulk change writes no row: `derive` decides it again at a restart."""
    state.need(movie, needed)
    if status in DONE:
        movie.filter_reasons = reasons
    text = f"to run: {', '.join(needed)}" if needed else "; ".join(reasons) or "nothing to run"
    state.move(movie, status, f"{why}: {text}")
    if status in DONE:
        exporting.release_held(state, movie)


def _changes(state: State) -> Iterable[tuple[MovieRecord, MovieStatus, list[str], list[str]]]:
    """Movies that get another status, other steps to run or other filter reasons.

    `failed` stands for a movie whose failure no longer counts.
    """
    for movie in state.movies.values():
        if movie.status == MovieStatus.FAILED:
            if tasks.void(state, movie):
                yield movie, MovieStatus.FAILED, [], []
        elif movie.status in DONE or (movie.status == MovieStatus.OUTDATED and not movie.restoring):
            needed = state.needed_steps(movie)
            if needed:
                same = movie.status == MovieStatus.OUTDATED and movie.outdated_steps == needed
                if not same or movie.restore_to != state.fitting(movie):
                    yield movie, MovieStatus.OUTDATED, needed, []
                continue
            status, reasons = state.judge(movie)
            if movie.status != status or movie.filter_reasons != reasons:
                yield movie, status, [], reasons
