"""What steps learn from a session's first movies: when a choice holds, and the fingerprints that follow from it.

A choice is stored under a key: the hash of all that its movies' evidence depends on but the movies. So another value of
a setting that matters has another choice, and the former value finds the one before again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from warpcore.services.session.facts import Facts
from warpcore.services.session.fingerprints import FingerprintPlan, costly_half
from warpcore.services.session.resolving import Resolved, for_fingerprints, resolved_by
from warpcore.services.session.settings import Settings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.learning import EVIDENCE

Choice = dict[str, Any]
"""What was learnt, a map of JSON types."""

_ID_DIGITS = 12


def choice_id(choice: Mapping[str, Any]) -> str:
    """A name for a choice, made from what it holds; it stands in fingerprints and results. Raises TypeError."""
    return hashlib.sha256(json.dumps(choice, sort_keys=True).encode()).hexdigest()[:_ID_DIGITS]


def evidence_in(results: Mapping[str, Any]) -> dict[str, Any]:
    """The evidence in a movie's summaries, by step that learns; None where the step tells none."""
    return {
        step: summary[EVIDENCE]
        for step, summary in results.items()
        if summary and EVIDENCE in summary and step in CHAIN and CHAIN[step].learning is not None
    }


def without_evidence(results: dict[str, Any]) -> dict[str, Any]:
    """A movie's summaries as others see them: evidence is of use to the session's choice alone."""
    told = evidence_in(results)
    if not told:
        return results
    return {
        step: {name: value for name, value in summary.items() if name != EVIDENCE} if step in told else summary
        for step, summary in results.items()
    }


@dataclass(frozen=True, slots=True)
class MoviePlan:
    """What movies of which the same is told are processed with, and the fingerprints that follow.

    `sent` are the settings as their tasks carry them.
    """

    resolved: Resolved
    plan: FingerprintPlan
    sent: dict[str, Any]

    @property
    def settings(self) -> Settings:
        """Their settings, in which nothing that a movie tells is null."""
        return self.resolved.settings


class SessionPlan:
    """The fingerprints under some settings with all that the session has learnt for them.

    `known` are choices by key; None stands for one that could not be made. `keys` are those that hold under these
    settings, by step in the chain's order, `choices` what was learnt under them, `undecided` the steps that still
    learn. `unlearnt` is the plan without any choice. `plan` is that of movies of which nothing is told, `of` that of
    others; what is learnt goes by the settings as they were given, so that one choice serves the whole session.
    """

    def __init__(self, settings: Settings, references: str, known: Mapping[str, Choice | None]) -> None:
        self._settings, self._references = settings, references
        self.unlearnt = self.plan = FingerprintPlan(settings, references)
        self.keys = _keys(settings, self.unlearnt)
        self.choices = {step: choice for step, key in self.keys.items() if (choice := known.get(key)) is not None}
        self.undecided = tuple(step for step, key in self.keys.items() if key not in known)
        self._ids = {step: choice_id(choice) for step, choice in self.choices.items()}
        if self._ids:
            self.plan = FingerprintPlan(settings, references, self._ids)
        self._of: dict[Facts, MoviePlan] = {}

    def of(self, facts: Facts) -> MoviePlan:
        """The plan of movies of which this is told, made once."""
        made = self._of.get(facts)
        if made is None:
            resolved = resolved_by(self._settings, facts)
            plan = FingerprintPlan(for_fingerprints(resolved, is_eer=facts.is_eer), self._references, self._ids)
            made = self._of[facts] = MoviePlan(resolved, plan, resolved.settings.to_dict())
        return made

    @property
    def ready(self) -> list[str]:
        """The undecided steps whose evidence is final: no step that they build on still learns."""
        waiting = set(self.undecided)
        return [step for step in self.undecided if not waiting & CHAIN.before(step, self._settings.steps)]

    def count(self, step: str) -> int:
        """From how many movies a step learns; 0: nothing."""
        return _count(self._settings, step)


def _keys(settings: Settings, plan: FingerprintPlan) -> dict[str, str]:
    """A step's key is its costly fingerprint for no movie in particular, and the number of movies that it asks."""
    learning = [step.name for step in CHAIN if settings.runs(step.name) and _count(settings, step.name) > 0]
    if not learning:
        return {}
    made = plan.wanted(0, 0)
    return {step: f"{costly_half(made[step])}:{_count(settings, step)}" for step in learning}


def _count(settings: Settings, step: str) -> int:
    learning = CHAIN[step].learning
    return 0 if learning is None else learning.count(settings.section(step))
