"""JSON metadata of other programs, read by a user's template: which path in it holds which value of an acquisition.

A template: `{"voltage_kv": "scope.highTension", "exposure_dose": {"path": "dose.total", "factor": 0.01}}`. A path names
keys with points between, and places in a list by number. Values that are no numbers, where one is wanted, are left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from warpcore.bus.messages.acquisition import Acquisition
from warpcore.services.readers.metadata.values import MetadataError, count, flag, iso_time, number, word

Template = Mapping[str, tuple[str, float]]
"""The path and the factor of each field."""

_MOST_DIGITS = 9
"""Of a place in a list."""
_TEXTS = ("grid", "square", "hole", "area", "shot", "gain_reference", "instrument", "camera")
_COUNTS = ("image_width_px", "image_height_px", "frames")
_OWN = ("source", "source_mtime_ns", "kind")


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    path: str
    factor: float = 1.0


def parsed_template(data: bytes) -> Template:
    """A user's template. Raises MetadataError, which says which entry is wrong."""
    try:
        entries = msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise MetadataError(f"no template of metadata: {error}") from None
    known = [name for name in Acquisition.__struct_fields__ if name not in _OWN]
    template = {}
    for name, entry in entries.items():
        if name not in known:
            raise MetadataError(f"a template of metadata with an unknown field; fields are {', '.join(known)}")
        try:
            at = _Entry(entry) if isinstance(entry, str) else msgspec.convert(entry, _Entry)
        except msgspec.ValidationError as error:
            raise MetadataError(f'a template of metadata: {name} is neither "PATH" nor an object ({error})') from None
        template[name] = (at.path, at.factor)
    return template


def read_json(data: bytes, source: str, template: Template) -> Acquisition | None:
    """What a JSON file says by a template; None where it says nothing. Raises MetadataError for damaged files."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise MetadataError(f"damaged JSON ({error}); copy it again") from None
    told = {name: _read(name, _at(document, path), factor) for name, (path, factor) in template.items()}
    known = {name: value for name, value in told.items() if value is not None}
    return Acquisition(source=source, kind="json", **known) if known else None


def _at(document: Any, path: str) -> Any:
    """What stands at a path; None where nothing does."""
    for key in path.split("."):
        if isinstance(document, dict):
            document = document.get(key)
        elif isinstance(document, list) and key.isdecimal() and len(key) <= _MOST_DIGITS and int(key) < len(document):
            document = document[int(key)]
        else:
            return None
    return document


def _read(name: str, value: Any, factor: float) -> Any:
    if value is None or isinstance(value, (dict, list)):
        return None
    text = str(value)
    if name in _TEXTS:
        return word(text)
    if name in _COUNTS:
        return count(text)
    if name == "phase_plate":
        return flag(text)
    if name == "recorded_at":
        return number(text, factor) if number(text) is not None else iso_time(text)
    return number(text, factor)
