"""The chain of steps: the four that ship, and those that are installed under the entry point `warpcore.steps`."""

from __future__ import annotations

import importlib.metadata
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from warpcore.services.steps import ctf, export, motion, picking
from warpcore.services.steps.columns import Column, Result, columns_of
from warpcore.services.steps.fields import Section
from warpcore.services.steps.place import place_columns
from warpcore.services.steps.run import run_columns
from warpcore.services.steps.source import InputResult
from warpcore.services.steps.step import INPUT, RECORD, Step, StepError

ENTRY_POINTS = "warpcore.steps"
SHIPPED = (motion.STEP, ctf.STEP, picking.STEP, export.STEP)


class Chain:
    """Steps in an order in which each follows its parents. Raises StepError where there is none."""

    def __init__(self, steps: Iterable[Step]) -> None:
        self.steps: tuple[Step, ...] = tuple(_in_order(tuple(steps)))
        self.by_name: Mapping[str, Step] = {step.name: step for step in self.steps}
        self.names: tuple[str, ...] = tuple(self.by_name)
        self.faults: tuple[str, ...] = ()
        """Why installed steps were left out, one line each: `up` and the scheduler refuse to start with them."""

        _check_unique(self)
        _check_apart(self)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __getitem__(self, name: str) -> Step:
        return self.by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """All columns: those of the movie itself, those of each step, where it was recorded, how it was processed."""
        own = columns_of(INPUT, InputResult)
        return (
            *own,
            *(column for step in self.steps for column in step.columns),
            *place_columns(),
            *run_columns(self.names),
        )

    @cached_property
    def column(self) -> Mapping[str, Column]:
        """The columns by name."""
        return {column.name: column for column in self.columns}

    @cached_property
    def forms(self) -> Mapping[str, type[Result]]:
        """What the results of each step hold, those of the movie itself among them."""
        return {INPUT: InputResult, **{step.name: step.result for step in self.steps}}

    @cached_property
    def folders(self) -> tuple[str, ...]:
        """Top folders of all outputs, below the processing directory."""
        found = (output.folder for step in self.steps for output in step.outputs)
        return tuple(dict.fromkeys(folder for folder in found if folder))

    def after(self, first: Iterable[str], sections: Mapping[str, Section]) -> list[str]:
        """These steps and all that build on them, in order, switched on or not; `sections` are the settings by step."""
        touched = set(first)
        for step in self.steps:
            if touched & set(step.parents_under(sections[step.name])):
                touched.add(step.name)
        return [name for name in self.names if name in touched]

    def before(self, name: str, sections: Mapping[str, Section]) -> set[str]:
        """All steps that the costly half of this one builds on, and those that they do, under these settings."""
        found = set(self[name].parents) - {INPUT}
        for step in reversed(self.steps):
            if step.name in found:
                found |= set(step.parents_under(sections[step.name])) - {INPUT}
        return found


def _check_unique(chain: Chain) -> None:
    """Raises StepError where one file, key, label or limit of the filter is claimed twice."""
    claims = (("the file", _files), ("the key", _keys), ("the label", _labels), ("the limit filter.", _limits))
    for what, claimed in claims:
        owners: dict[str, str] = {}
        for step, name in claimed(chain):
            if name in owners:
                text = f"{what}{'' if what.endswith('.') else ' '}{name}, as {owners[name]!r} does"
                raise StepError(f"step {step!r} declares {text}; give it another name")
            owners[name] = step


def _check_apart(chain: Chain) -> None:
    """Raises StepError where files of two movies could have one name."""
    outputs = [*((step.name, output) for step in chain for output in step.outputs), ("", RECORD)]
    for (step, one), (_, other) in itertools.combinations(outputs, 2):
        if one.may_meet(other):
            text = f"{one.pattern} can have the name of another movie's {other.pattern}; give it a folder of its own"
            raise StepError(f"step {step!r}: {text}")


def _files(chain: Chain) -> Iterator[tuple[str, str]]:
    return ((step.name, output.pattern) for step in chain for output in step.outputs)


def _keys(chain: Chain) -> Iterator[tuple[str, str]]:
    return ((column.step, column.json) for column in chain.columns if column.json)


def _labels(chain: Chain) -> Iterator[tuple[str, str]]:
    return ((column.step, column.star.label) for column in chain.columns if column.star is not None)


def _limits(chain: Chain) -> Iterator[tuple[str, str]]:
    return ((column.step, limit.name) for column in chain.columns for limit in column.limits)


def _in_order(steps: Sequence[Step]) -> Iterator[Step]:
    names = [step.name for step in steps]
    for step in steps:
        if names.count(step.name) > 1:
            raise StepError(f"step {step.name!r} is declared twice; remove one of the packages that bring it")
        for parent in step.possible_parents:
            if parent not in (INPUT, *names):
                raise StepError(f"step {step.name!r}: its parent {parent!r} is no step; known: {', '.join(names)}")
    left, placed = list(steps), {INPUT}
    while left:
        ready = next((step for step in left if set(step.possible_parents) <= placed), None)
        if ready is None:
            raise StepError(f"steps {', '.join(step.name for step in left)} are each other's parents")
        left.remove(ready)
        placed.add(ready.name)
        yield ready


def load_chain(entries: Iterable[importlib.metadata.EntryPoint]) -> Chain:
    """The steps that ship and the installed ones; what cannot be used is left out and told in `faults`."""
    faults: list[str] = []
    found = []
    for entry in sorted(entries, key=lambda entry: entry.name):
        try:
            found.append(_loaded(entry))
        except StepError as error:
            faults.append(str(error))
    try:
        chain = Chain((*SHIPPED, *found))
    except StepError as error:
        chain = Chain(SHIPPED)
        faults.append(str(error))
    chain.faults = tuple(faults)
    return chain


def _loaded(entry: importlib.metadata.EntryPoint) -> Step:
    package = entry.dist.name if entry.dist is not None else "an unknown package"
    where = f"step {entry.name!r} of {package} ({entry.value})"
    try:
        step = entry.load()
    except (Exception, SystemExit) as error:
        raise StepError(f"{where} cannot be loaded: {type(error).__name__}: {error}; mend or remove it") from error
    if not isinstance(step, Step):
        raise StepError(f"{where} is no Step but {type(step).__name__}")
    if step.name != entry.name:
        raise StepError(f"{where} calls itself {step.name!r}; give it one name")
    return step


CHAIN = load_chain(importlib.metadata.entry_points(group=ENTRY_POINTS))
"""All steps, in order. The one table that fingerprints, the worker, lists and files are made from."""
