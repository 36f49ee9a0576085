"""What a change of settings, of reference files or of outputs on disk makes of all movies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from warpcore.bus import messages as wire
from warpcore.bus.vocabulary import DONE, MovieStatus, Pauser
from warpcore.services.scheduler.core import (
    export_deleting,
    exporting,
    placing_outputs,
    requests,
    restoring_outputs,
    seeing,
    tasks,
)
from warpcore.services.scheduler.core.effect import Decision, effect_of
from warpcore.services.scheduler.core.effects import (
    PlaceOutputs,
    RemoveExport,
    RestoreOutputs,
    SaveRevision,
    SaveSettings,
)
from warpcore.services.scheduler.core.records import MovieRecord
from warpcore.services.scheduler.core.rows import RevisionRow
from warpcore.services.scheduler.core.state import State
from warpcore.services.scheduler.core.stimuli import ChangeSettings, OutputsMissing, Started
from warpcore.services.session.settings import Settings, differences
from warpcore.services.steps.chain import CHAIN


def change_settings(state: State, stimulus: ChangeSettings) -> None:
    """Adopt settings: exactly the movies and steps that they touch become outdated. `dry`: only say what would be."""
    settings, references = stimulus.settings, stimulus.references
    changed = differences(state.settings, settings)
    names = list(changed)
    aside = {} if stimulus.whole else _still_set_aside(state, names)
    if not names and references == state.references and aside == state.set_aside:
        effect = effect_of(state, [], [])
    elif stimulus.dry:
        effect = _effect_if(state, settings, references, names)
    else:
        state.set_aside = aside
        state.revision += 1
        _adopt(state, settings, references)
        seeing.files_named(state)
        state.effects.append(SaveRevision(RevisionRow(state.revision, state.wall, stimulus.by, json.dumps(changed))))
        state.publish("settings.changed", wire.SettingsEvent(settings.to_dict(), state.revision, names, stimulus.by))
        decisions = list(_decisions(state))
        effect = effect_of(state, names, decisions)
        _carry_out(state, _changes(state, decisions), f"settings {state.revision}")
    outdated = state.counts[MovieStatus.OUTDATED]
    state.reply(wire.SettingsReply(settings.to_dict(), state.revision, outdated, effect))


def _effect_if(state: State, settings: Settings, references: str, names: list[str]) -> wire.SettingsEffect:
    """What other settings would do; the state is left as it is."""
    present = state.settings, state.references
    state.adopt(settings, references)
    try:
        return effect_of(state, names, _decisions(state))
    finally:
        state.adopt(*present)


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
    state.last_export = max(state.last_export, stimulus.last_export)
    if stimulus.paused is not None:
        requests.pause(state, Pauser.PERSON if stimulus.paused else None)
    _carry_out(state, _changes(state, _decisions(state, state.underived)), "start")
    state.effects += unended_on_disk(state)


def unended_on_disk(state: State) -> list[PlaceOutputs | RestoreOutputs | RemoveExport]:
    """What had begun on disk, and is done again after a restart or a state that was read back: to the same end."""
    return [*restoring_outputs.begun(state), *placing_outputs.begun(state), *export_deleting.begun(state)]


def decide_again(state: State, why: str) -> None:
    """Give all movies what follows from the results, the settings and what was learnt."""
    _carry_out(state, _changes(state, _decisions(state)), why)


def outputs_missing(state: State, stimulus: OutputsMissing) -> None:
    """Files are gone: their step and those that build on it run again. Results made since the look are left alone."""
    movie = state.movies.get(stimulus.movie)
    if movie is None or movie.status not in DONE:
        return
    gone = [step for step, made_with in stimulus.steps.items() if movie.fingerprints.get(step) == made_with]
    if not gone:
        return
    again = CHAIN.after(gone, state.settings.steps)
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
    resized = settings.import_.pixel_size != state.settings.import_.pixel_size
    state.adopt(settings, references)
    if resized:
        state.place_waiting()
    state.effects.append(SaveSettings(settings.to_dict(), state.revision, references, dict(state.set_aside)))


def _carry_out(state: State, changes: list[Decision], why: str) -> None:
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


def _decisions(state: State, movies: Iterable[MovieRecord] | None = None) -> Iterator[Decision]:
    """What each movie with results, and each failed one that gets another chance, deserves under these settings.

    `movies` are all where none are given. `failed` stands for a movie whose failure no longer counts.
    """
    for movie in state.movies.values() if movies is None else movies:
        if movie.status == MovieStatus.FAILED:
            if tasks.void(state, movie):
                yield movie, MovieStatus.FAILED, [], []
        elif movie.status in DONE or (movie.status == MovieStatus.OUTDATED and not movie.restoring):
            needed = state.needed_steps(movie)
            if needed:
                yield movie, MovieStatus.OUTDATED, needed, []
            else:
                status, reasons = state.judge(movie)
                yield movie, status, [], reasons


def _changes(state: State, decisions: Iterable[Decision]) -> list[Decision]:
    """The decisions that give a movie another status, other steps to run or other filter reasons."""
    return [one for one in decisions if _differs(state, *one)]


def _differs(state: State, movie: MovieRecord, status: MovieStatus, needed: list[str], reasons: list[str]) -> bool:
    if status == MovieStatus.FAILED or movie.status != status:
        return True
    if status == MovieStatus.OUTDATED:
        return movie.outdated_steps != needed or movie.restore_to != state.fitting(movie)
    return movie.filter_reasons != reasons
