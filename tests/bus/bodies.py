"""Any message and any plain value, for tests that throw everything at the wire."""

from __future__ import annotations

import types
import typing
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from warpcore.bus.schema import Message

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
INTEGERS = st.integers(-(2**63), 2**63 - 1)
SCALARS = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False) | TEXT
PLAIN = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)
SCALARS_OF = {int: INTEGERS, float: st.floats(allow_nan=False), str: TEXT, bool: st.booleans()}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value that a type hint of a message allows."""
    if hint is Any:
        return PLAIN
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([st.none() if one is type(None) else values(one) for one in arguments])
    if origin is typing.Annotated:
        limits = hint.__metadata__[0]
        if limits.pattern is not None:
            return st.from_regex(limits.pattern)
        if limits.ge is not None:
            return st.integers(limits.ge, limits.le)
        return values(arguments[0])
    if origin is list:
        return st.lists(values(arguments[0]), max_size=2)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if origin is dict:
        return st.dictionaries(TEXT, values(arguments[1]), max_size=2)
    if isinstance(hint, type) and issubclass(hint, Message):
        return messages(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    return SCALARS_OF[hint]


def messages(cls: type[Message]) -> st.SearchStrategy[Message]:
    """Any message of this type."""
    hints = get_type_hints(cls, include_extras=True)
    return st.builds(cls, **{name: values(hints[name]) for name in cls.__struct_fields__})


def known_then(body: Any, old: Any) -> Any:
    """The body without the fields that are newer than `old`."""
    if isinstance(body, list) and isinstance(old, list):
        return [known_then(one, before) for one, before in zip(body, old, strict=True)]
    if not isinstance(body, dict):
        return body
    return {name: known_then(value, old.get(name)) for name, value in body.items() if name in old}
