"""What a step's result depends on, as a hash: equal hash, equal result, nothing to run.

A hash holds the step's version and those of its settings that differ from their defaults: a setting that a newer
warpcore adds changes no hash, and a default that changes raises the step's version. What a step has learnt from the
session's first movies counts as its settings do (`learning.py`). Hashes of warpcore's first form, which held every
setting, are recognised by `fingerprints_v1`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from warpcore.services.session.settings import Settings
from warpcore.services.steps.chain import CHAIN
from warpcore.services.steps.fields import Reach, Section, changed_values, reach_of
from warpcore.services.steps.step import INPUT, CheapHalf, Step

OFF = "off"
"""Stands for a step, or a cheap half, that is switched off."""

FORM = "2:"
"""What fingerprints of this form begin with."""

_MOST_REMEMBERED = 1024
"""Movies whose fingerprints a plan remembers: each is asked for at its assignment and when its results come."""
_CHEAP_DIGITS = 8
_DIGITS = 24


def wanted_fingerprints(settings: Settings, size: int, mtime_ns: int, references: str = "") -> dict[str, str]:
    """Fingerprint of each step of one movie under these settings; a step that is off has the fingerprint `off`.

    `size` (bytes) and `mtime_ns` are the movie file's identity, `references` those of the files that settings name.
    Requested values count, not what "automatic" resolved to.
    """
    return FingerprintPlan(settings, references).wanted(size, mtime_ns)


class FingerprintPlan:
    """The share of the fingerprints that all movies have in common, hashed once, so that 100 000 movies take a second.

    Two plans are equal where every movie's fingerprints are equal under both. A step with a cheap half has the
    fingerprint `costly.cheap`; `same_costly_half` compares the first of them. `choices` are the ids of what steps have
    learnt, by step.
    """

    def __init__(self, settings: Settings, references: str = "", choices: Mapping[str, str] | None = None) -> None:
        made = choices or {}
        files = _by_section(references)
        self._steps = [step for step in CHAIN if settings.runs(step.name)]
        self.off = frozenset(step.name for step in CHAIN if not settings.runs(step.name))
        """Steps that are switched off."""
        openings = {INPUT: _opening(INPUT, 1, _reaching(settings.import_, Reach.STEP), files.get("import", []))}
        for step in self._steps:
            section = settings.section(step.name)
            named = files.get(step.name, [])
            costly = _reaching(section, Reach.STEP, Reach.BOTH)
            openings[step.name] = _opening(step.name, step.version, costly, named, made.get(step.name))
            if step.cheap is not None and step.cheap.is_on(section):
                cheap = _reaching(section, Reach.CHEAP, Reach.BOTH)
                openings[_cheap(step)] = _opening(_cheap(step), _cheap_versions(step, step.cheap), cheap, [])
        self._openings = openings
        self._hashers = {part: hashlib.sha256(text.encode()) for part, text in openings.items()}
        self._of_file = lru_cache(_MOST_REMEMBERED)(self._made)

    def __eq__(self, other: object) -> bool:
        return self._openings == other._openings if isinstance(other, FingerprintPlan) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def wanted(self, size: int, mtime_ns: int, edits: Mapping[str, str] | None = None) -> dict[str, str]:
        """The fingerprint of each step for a movie file of this identity.

        `edits` names, by step with a cheap half, what a person has changed in this movie's results.
        """
        return {**self._of_file(size, mtime_ns, tuple(edits.items()) if edits else ())}

    def _made(self, size: int, mtime_ns: int, named: tuple[tuple[str, str], ...]) -> dict[str, str]:
        edits = dict(named)
        made = {INPUT: self._finish(INPUT, (str(size), str(mtime_ns)), _DIGITS)}
        wanted = dict.fromkeys(CHAIN.names, OFF)
        for step in self._steps:
            costly = FORM + self._finish(step.name, [made.get(parent, OFF) for parent in step.parents], _DIGITS)
            if step.cheap is not None:
                cheap = OFF
                if _cheap(step) in self._hashers:
                    parents = [made.get(parent, OFF) for parent in step.cheap.parents]
                    parents += [edits[step.name]] if step.name in edits else []
                    cheap = self._finish(_cheap(step), parents, _CHEAP_DIGITS)
                wanted[step.name] = f"{costly}.{cheap}"
            else:
                wanted[step.name] = costly
            made[step.name] = wanted[step.name]
        return wanted

    def _finish(self, part: str, parents: Iterable[str], digits: int) -> str:
        hasher = self._hashers[part].copy()
        hasher.update("\0".join(parents).encode())
        return hasher.hexdigest()[:digits]


def steps_to_run(wanted: Mapping[str, str], stored: Mapping[str, str]) -> list[str]:
    """The steps whose stored fingerprint is not the wanted one, in order.

    One that is off and has no result needs nothing.
    """
    return [step for step, want in wanted.items() if stored.get(step, OFF) != want]


def needed_steps(wanted: Mapping[str, str], stored: Mapping[str, str]) -> list[str]:
    """Those of `steps_to_run` that are on: the result of one that is off stays, for when it is on again."""
    return [step for step in steps_to_run(wanted, stored) if wanted[step] != OFF]


def costly_half(fingerprint: str) -> str:
    """The costly half of a fingerprint; all of it where its step has no cheap half."""
    return fingerprint.split(".")[0]


def same_costly_half(step: str, wanted: Mapping[str, str], stored: Mapping[str, str]) -> bool:
    """Whether the costly half of the stored result is as wanted, so that at most the cheap half must be made anew."""
    return step in stored and costly_half(stored[step]) == costly_half(wanted[step]) != OFF


def _cheap(step: Step) -> str:
    return f"{step.name}.cheap"


def _reaching(section: Section, *reaches: Reach) -> dict[str, Any]:
    """The settings of a section that differ from their defaults and have one of these reaches."""
    fields = type(section).model_fields
    return {name: value for name, value in changed_values(section).items() if reach_of(fields[name]) in reaches}


def _cheap_versions(step: Step, cheap: CheapHalf) -> int | list[int]:
    """The versions that count for a cheap half: the step's alone while its own has never grown."""
    return [step.version, cheap.version] if cheap.version else step.version


def _opening(
    part: str, version: int | list[int], values: dict[str, Any], files: list[str], choice: str | None = None
) -> str:
    """What is hashed, up to the parents."""
    learnt = [] if choice is None else [choice]
    return json.dumps([part, version, values, files, *learnt], sort_keys=True)


def _by_section(references: str) -> dict[str, list[str]]:
    """Identities of named files by the section of the setting that names them.

    Those without a section are `import`'s.
    """
    found: dict[str, list[str]] = {}
    for one in references.split():
        name = one.partition(":")[0]
        section, dot, _ = name.partition(".")
        found.setdefault(section if dot else "import", []).append(one)
    return found
