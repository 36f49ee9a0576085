"""What a step is, for all but the worker that runs it: name, version, parents, settings, result, files, columns."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from warpcore.services.session.allowed import OWN_FOLDER, is_own_name
from warpcore.services.session.paths import outside_jobs
from warpcore.services.steps.columns import Column, Result, columns_of, result_fault
from warpcore.services.steps.fields import Reach, Section, reach_of
from warpcore.services.steps.learning import CHOICE, EVIDENCE, Learning

INPUT = "input"
"""The parent of a step that begins with the raw movie; also the name of what is known of the movie itself."""

RUN = "run"
"""The name of how a movie was processed, which stands beside the results of its steps (`steps/run.py`)."""

PLACE = "place"
"""The name of where a movie was recorded, which stands there too (`steps/place.py`)."""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_FOLDERS_AND_TOPICS = frozenset({"load", "write", "logs", "defects", "correct", "compute"})
_SECTIONS = frozenset({"import", "filter", "alarms", "session"})
_OF_RUN = frozenset({"age", "incubation", "wait", "at_worker", "latency"})
_OF_SETTINGS = frozenset({"steps", "section", "runs", "following", "to_dict"})
_RESERVED = _FOLDERS_AND_TOPICS | _SECTIONS | _OF_RUN | _OF_SETTINGS | {INPUT, RUN, PLACE}
"""Names that mean something else in results, folders, times or the methods of all settings."""


class StepError(Exception):
    """A step that cannot be used as it is declared; the text names the step and what to mend."""


_HALVES = ("odd", "even")
"""Folders that lie among those of movies, below `average/`."""
_LIKE_HALVES = re.compile(rf"(?:{'|'.join(_HALVES)})_*")
_LIKE_A_FILE = re.compile(r".*\.(?:json|kept|mrcs?|png|star|xml)_*", re.DOTALL)


def apart(movie: str) -> str:
    """A movie's name with folders that can be no folder and no file of ours: what looks like one gets a `_` more.

    So no two movies have a file in common: `odd/a` becomes `odd_/a`, and `odd_/a` becomes `odd__/a`. Folders that are
    called as our own are set apart at any depth: nothing in one is ever an output.
    """
    *folders, name = movie.split("/")
    if folders and _LIKE_HALVES.fullmatch(folders[0]):
        folders[0] += "_"
    return "/".join([*(f"{one}_" if _is_taken(one) else one for one in folders), name])


def _is_taken(folder: str) -> bool:
    return _LIKE_A_FILE.fullmatch(folder) is not None or is_own_name(folder.rstrip("_"))


@dataclass(frozen=True, slots=True)
class Output:
    """A file of a step. `pattern` holds `{movie}` (its name) and may hold `{suffix}` (setting `picking.suffix`)."""

    pattern: str
    description: str

    def path(self, movie: str, suffix: str = "picks") -> str:
        """Its name for one movie, relative to the processing directory; no other movie and no export job has it.

        A sub-folder in the name stays below its kind.
        """
        before, _, after = self.pattern.partition("{movie}")
        return outside_jobs(before + apart(movie) + after.replace("{suffix}", suffix))

    def may_meet(self, other: Output) -> bool:
        """Whether another output, of another movie, can have the same name as this one."""
        (mine, my_end), (its, its_end) = self._fixed, other._fixed
        if not (my_end.endswith(its_end) or its_end.endswith(my_end)):
            return False
        longer, shorter = max(mine, its, key=len), min(mine, its, key=len)
        between = longer.removeprefix(shorter) if longer.startswith(shorter) else None
        return between is not None and between.partition("/")[0] not in (*_HALVES, OWN_FOLDER)

    @property
    def _fixed(self) -> tuple[str, str]:
        """What stands before the movie's name, and at the end of all names: behind the suffix where there is one."""
        before, _, after = self.pattern.partition("{movie}")
        return before, after.rpartition("{suffix}")[2]

    @property
    def folder(self) -> str:
        """The top folder that it lies in, "" for the processing directory itself."""
        folder, slash, _ = self.pattern.partition("/")
        return folder if slash and "{" not in folder else ""


RECORD = Output("records/{movie}.json", "what a movie's outputs are and were made with")
"""The scheduler writes it beside the outputs (`session/movie_record.py`)."""


def _always(section: Any) -> bool:
    return True


def _enabled(section: Any) -> bool:
    return bool(getattr(section, "enabled", True))


@dataclass(frozen=True, slots=True)
class CheapHalf:
    """What a step makes anew without its costly half: which other steps only this half builds on, and when it is made.

    `when` says the same as `is_on` in words. `version` grows when the method of this half alone changes.
    """

    parents: tuple[str, ...] = ()
    is_on: Callable[[Any], bool] = _always
    when: str = ""
    version: int = 0


@dataclass(frozen=True)
class Step:
    """A step of processing.

    `version` grows when the method, or the default of a setting, changes so that older results should be made again.
    `parents` are the steps that it builds on (`input` for the raw movie). `section` is the class of its settings,
    `result` that of what it measures. `doing` names the worker's side as `package.module:NAME`, which is imported only
    there. `label` is its name in sentences. `is_on` says whether it runs under its settings; without one, the setting
    `enabled` says it. Settings with `Reach.CHEAP` or `Reach.BOTH` make up the cheap half. `learning` is what the costly
    half learns from a session's first movies; its result then has the field `evidence`.
    """

    name: str
    version: int
    parents: tuple[str, ...]
    section: type[Section]
    result: type[Result]
    doing: str
    description: str
    label: str = ""
    outputs: tuple[Output, ...] = ()
    derived: tuple[Column, ...] = ()
    cheap: CheapHalf | None = None
    is_on: Callable[[Any], bool] = _enabled
    learning: Learning | None = None
    columns: tuple[Column, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Raises StepError for a declaration that cannot work."""
        if not _NAME.fullmatch(self.name) or self.name in _RESERVED or hasattr(Section, self.name):
            raise StepError(f"step {self.name!r}: choose another name, of small letters, digits and _")
        if not self.parents:
            raise StepError(f"step {self.name!r}: name its parents, or {INPUT!r} where it begins with the raw movie")
        try:
            self.section()
        except ValueError as error:
            raise StepError(f"step {self.name!r}: each of its settings needs a default ({error})") from None
        try:
            result_fault(self.result, {})
        except (NameError, TypeError) as error:
            raise StepError(f"step {self.name!r}: the types of its result cannot be read: {error}") from None
        cheap = [name for name, one in self.section.model_fields.items() if reach_of(one) in (Reach.CHEAP, Reach.BOTH)]
        if cheap and self.cheap is None:
            raise StepError(f"step {self.name!r}: {cheap[0]} is a setting of its cheap half; declare `cheap`")
        if self.learning is not None:
            _check_learning(self)
        object.__setattr__(self, "label", self.label or self.name)
        object.__setattr__(self, "columns", columns_of(self.name, self.result, self.derived))

    @property
    def possible_parents(self) -> tuple[str, ...]:
        """The steps that it builds on under any settings."""
        return (*self.parents, *(self.cheap.parents if self.cheap is not None else ()))

    def parents_under(self, section: Section) -> tuple[str, ...]:
        """The steps that it builds on under these settings, those of its cheap half included."""
        cheap = self.cheap.parents if self.cheap is not None and self.cheap.is_on(section) else ()
        return tuple(dict.fromkeys((*self.parents, *cheap)))


def _check_learning(step: Step) -> None:
    """Raises StepError where a step that learns cannot tell its evidence, or takes the name of what stands beside."""
    fields = {one.name: one for one in dataclasses.fields(step.result)}  # type: ignore[arg-type]
    if EVIDENCE not in fields or fields[EVIDENCE].metadata:
        raise StepError(f"step {step.name!r}: it learns, so its result needs a field `{EVIDENCE}` that is no column")
    if CHOICE in fields:
        raise StepError(f"step {step.name!r}: it learns, so no field of its result can be called `{CHOICE}`")
