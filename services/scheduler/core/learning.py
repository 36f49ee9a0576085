"""What steps learn from the session's first movies: the order of registration decides, whatever ran or died meanwhile.

Once the first movies that count have told, their evidence is pooled; the choice is stored, and all results that were
made without it are outdated, as by a change of settings.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from warpcore.bus import messages as wire
from warpcore.services.scheduler.core import deciding, learnt, rows, views
from warpcore.services.scheduler.core.effects import SaveChoice
from warpcore.services.scheduler.core.records import ChoiceRecord, MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.learning import EVIDENCE, Lesson

LARGEST_CHOICE_BYTES = 131_072
"""A choice travels with every task, beside results and settings."""
LONGEST_TEXT = 500


def learn(state: State) -> None:
    """Make all choices for which the evidence is there."""
    while (step := next((one for one in state.learning.ready if learnt.teachers(state, one)), None)) is not None:
        made = _pooled(state, step, [state.movies[id] for id in learnt.teachers(state, step)])
        state.choices[made.key] = made
        told = _told(made)
        state.effects.append(SaveChoice(rows.choice_row(made), told, failed=made.choice is None))
        topic = "learning.failed" if made.choice is None else "learning.done"
        state.publish(topic, wire.LearningEvent(learnt.view(made, len(made.movies))))
        state.adopt(state.settings, state.references)
        if made.choice is not None:
            deciding.decide_again(state, told)


def _pooled(state: State, step: str, movies: list[MovieRecord]) -> ChoiceRecord:
    """The choice, or why there is none: what a site's own step does here must stop nothing."""
    learning = CHAIN[step].learning
    assert learning is not None
    section, key, names = state.settings.section(step), state.learning.keys[step], [movie.name for movie in movies]
    lessons = [Lesson(movie.name, copy.deepcopy(movie.results[step][EVIDENCE])) for movie in movies]
    try:
        choice = _plain(learning.pool(section, lessons))
        text = str(learning.describe(copy.deepcopy(choice)))[:LONGEST_TEXT]
    except Exception as error:  # noqa: BLE001 - the session goes on without a choice, and the error is told
        return ChoiceRecord(key, step, None, names, f"{type(error).__name__}: {error}"[:LONGEST_TEXT])
    return ChoiceRecord(key, step, choice, names, text)


def _plain(choice: Any) -> dict[str, Any]:
    """The choice as it is stored and sent. Raises TypeError or ValueError for what cannot be."""
    plain = json.loads(json.dumps(choice, allow_nan=False))
    if not isinstance(plain, dict):
        raise TypeError(f"a choice is a map, not {type(choice).__name__}")
    size = views.packed_size(plain)
    if size > LARGEST_CHOICE_BYTES:
        raise ValueError(f"a choice of {size} bytes; at most {LARGEST_CHOICE_BYTES} can be sent with each task")
    return plain


def _told(made: ChoiceRecord) -> str:
    if made.choice is None:
        return f"{made.step} could not learn from {learnt.movies(made)}, so each movie goes by itself: {made.text}"
    return f"{made.step} has learnt from {learnt.movies(made)}: {made.text}"
