"""What a session's first movies decide for picking on all of them: the method, the shape of blobs, templates.

A movie's evidence:

- `shapes`: by combination of blobs (`ring 0.85`, `disc 1 aspect 1.414`) the evidence for that shape (of
  `kernels.picking.blob_trials`), and the gain of its picks;
- `gains`: by other method the gain of its picks: the expected number of true picks less that of false ones at the
  threshold 0.5;
- `sure`: x and y (px) of its sure picks, where templates are to be made of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from warpcore.services.steps.learning import Lesson


class Asked(Protocol):
    """The settings that count here: those of `PickingSettings`."""

    @property
    def method(self) -> str: ...

    @property
    def first_movies(self) -> int: ...

    @property
    def adapt(self) -> bool: ...

    @property
    def diameter(self) -> float | None: ...

    @property
    def diameter_max(self) -> float | None: ...

    @property
    def is_on(self) -> bool: ...


BLOB, NETWORK, BOTH, TEMPLATE = "blob", "network", "both", "template"
_BLIND = 0.5  # blobs with less than this share of the network's gain do not see the particles
_LEAST_GAIN = 1.0  # of the network on a movie, for that; on 12 images of white noise it gains 0.9 at most


def count(section: Asked) -> int:
    """From how many first movies something is learnt under these settings."""
    learns = section.diameter is not None and (section.adapt or section.method in ("auto", BLOB, BOTH))
    return section.first_movies if section.is_on and learns else 0


def pool(section: Asked, lessons: Sequence[Lesson]) -> dict[str, Any]:
    """The choice of method, shape and, where they are asked for, the picks to make templates of."""
    evidences = [lesson.evidence for lesson in lessons]
    shape = best_shape(evidences)
    method = chosen_method(section, evidences, shape)
    choice: dict[str, Any] = {"method": method, "shape": shape if method in (BLOB, BOTH) else None}
    if section.adapt:
        choice["sure"] = [
            {"movie": lesson.movie, "xy": lesson.evidence["sure"]} for lesson in lessons if lesson.evidence.get("sure")
        ]
    return choice


def best_shape(evidences: Sequence[Mapping[str, Any]]) -> str | None:
    """The combination of blobs with the largest sum of evidence; the first by name of equals."""
    total: dict[str, float] = {}
    for evidence in evidences:
        for name, (value, _) in (evidence.get("shapes") or {}).items():
            total[name] = total.get(name, 0.0) + value
    return max(sorted(total), key=total.__getitem__) if total else None


def chosen_method(section: Asked, evidences: Sequence[Mapping[str, Any]], shape: str | None) -> str:
    """The method for these movies under these settings.

    Where it is auto: templates where no diameter is given; blobs where a range of diameters is, which nothing else can
    look for; or else what these movies show.
    """
    if section.method != "auto":
        return section.method
    if section.diameter is None:
        return TEMPLATE
    return BLOB if section.diameter_max is not None else _best_method(evidences, shape)


def _best_method(evidences: Sequence[Mapping[str, Any]], shape: str | None) -> str:
    """What these movies show.

    Blobs and network together, unless blobs of the best shape gain less than half of what the network gains (irregular
    particles), or templates of the user's gain at least as much as either.
    """
    gains = {NETWORK: 0.0, BLOB: 0.0, TEMPLATE: 0.0}
    for evidence in evidences:
        for name, gain in (evidence.get("gains") or {}).items():
            gains[name] += gain
        if shape is not None:
            gains[BLOB] += (evidence.get("shapes") or {}).get(shape, (0.0, 0.0))[1]
    if gains[TEMPLATE] > 0 and gains[TEMPLATE] >= max(gains[BLOB], gains[NETWORK]):
        return TEMPLATE
    blind = gains[NETWORK] >= _LEAST_GAIN * len(evidences) and gains[BLOB] < _BLIND * gains[NETWORK]
    return NETWORK if shape is None or blind else BOTH


def describe(choice: Mapping[str, Any]) -> str:
    """The choice in words."""
    named = {BOTH: "both blobs and network"}
    words = str(named.get(choice["method"], choice["method"]))
    if choice.get("shape"):
        words += f", shape {choice['shape']}"
    if choice.get("sure"):
        number = sum(len(one["xy"]) for one in choice["sure"])
        words += f", templates to be tried, from {number} sure picks of {len(choice['sure'])} movies"
    return words
