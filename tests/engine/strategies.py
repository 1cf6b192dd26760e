"""Any value of a contract's type, for property tests: what the codec reads, made at random."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from engine.contracts.edits import Edit
from engine.contracts.options import Option

NAMES = st.text(max_size=6)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats(),
    str: NAMES,
    type(None): st.none(),
    object: st.recursive(  # anything that JSON has
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAMES,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
        max_leaves=4,
    ),
}


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """A strategy for a type that a document can have."""
    if kind in PLAIN:
        return PLAIN[kind]
    if kind is Edit:
        return _edits()
    if dataclasses.is_dataclass(kind):
        return _instances(kind)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(values_of, arguments))
    if origin is typing.Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, arguments))
    assert issubclass(origin, Mapping), f"no strategy for {kind}"
    return st.dictionaries(NAMES, values_of(arguments[1]), max_size=3)


def _instances(kind: Any) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(kind)
    given = {
        each.name: _settings(each.metadata["option"], hints[each.name])
        if "option" in each.metadata
        else values_of(hints[each.name])
        for each in dataclasses.fields(kind)
    }
    return st.builds(kind, **given)


def _settings(option: Option, hint: Any) -> st.SearchStrategy[Any]:
    """Values that a setting may have."""
    if option.choices:
        return st.sampled_from(option.choices)
    kinds = typing.get_args(hint) or (hint,)
    if option.low is None or option.high is None:
        return values_of(hint)
    number = st.integers if int in kinds else st.floats
    within: st.SearchStrategy[Any] = number(option.low, option.high)  # type: ignore[arg-type]
    return st.none() | within if type(None) in kinds else within


def _edits() -> st.SearchStrategy[Edit]:
    layers = st.lists(NAMES, max_size=3).map(lambda blocks: Edit("layer", blocks=tuple(blocks)))
    indices = st.lists(st.integers(0, 99), max_size=3).map(lambda chosen: tuple(sorted(chosen)))
    filters = st.dictionaries(NAMES, indices, max_size=3).map(
        lambda found: Edit("filter", units=tuple(sorted(found.items())))
    )
    both = st.tuples(layers, filters).map(lambda e: Edit("unit", e[0].blocks, e[1].units))
    return layers | filters | both
