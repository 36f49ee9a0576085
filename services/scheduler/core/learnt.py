"""What was learnt, and what there is to learn from so far, as it is shown."""

from __future__ import annotations

from warpcore.bus import messages as wire
from warpcore.services.scheduler.core import views
from warpcore.services.scheduler.core.records import ChoiceRecord, MovieRecord
from warpcore.services.scheduler.core.state import State
from warpcore.services.session.learning import choice_id
from warpcore.services.steps.learning import CHOICE


def teachers(state: State, step: str) -> list[int]:
    """The ids of the movies that a step learns from, none as long as they are not known for certain."""
    count = state.learning.count(step)
    found = state.lessons.so_far(step, count)
    return found if len(found) == count else []


def views_of(state: State) -> list[wire.Learnt]:
    """What the steps have learnt, or have to go by so far, under the present settings."""
    shown = []
    for step, key in state.learning.keys.items():
        count, made = state.learning.count(step), state.choices.get(key)
        if made is None:
            told = [state.movies[id].name for id in state.lessons.so_far(step, count)]
            shown.append(wire.Learnt(step, count, told))
        else:
            shown.append(view(made, count))
    return shown


def gone_by(state: State, movie: MovieRecord) -> dict[str, str]:
    """What each stored result of a step that learns goes by, in words."""
    known = {(one.step, choice_id(one.choice)): one for one in state.choices.values() if one.choice is not None}
    words = {}
    for step, summary in views.valid_results(movie.results, state.plan.off).items():
        id = (summary or {}).get(CHOICE)
        if id is not None:
            made = known.get((step, id))
            words[step] = f"choice {id}" if made is None else f"{made.text} (choice {id} from {movies(made)})"
        elif step in state.learning.keys:
            words[step] = "this movie alone"
    return words


def view(made: ChoiceRecord, count: int) -> wire.Learnt:
    """What was learnt, as others see it."""
    id = "" if made.choice is None else choice_id(made.choice)
    return wire.Learnt(made.step, count, made.movies, id, made.text, made.choice is None)


def movies(made: ChoiceRecord) -> str:
    """`8 movies`."""
    return f"{len(made.movies)} movie{'s' * (len(made.movies) != 1)}"
