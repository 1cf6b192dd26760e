"""Whether a printed JSON value is exactly what its shape says: keys, their order, and types."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping

from explorer.cli.json_page import json_fields

_PLAIN = {bool: bool, int: int, str: str, types.NoneType: types.NoneType}


def problems(kind, value, where: str = "") -> list[str]:
    """What of a value its shape does not say, or says otherwise."""
    if kind is object:
        return []
    if kind is float:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return [] if is_number else [f"{where}: {value!r} is no number"]
    if kind in _PLAIN:
        return [] if type(value) is _PLAIN[kind] else [f"{where}: {value!r} is no {kind.__name__}"]
    if dataclasses.is_dataclass(kind):
        return _of_shape(kind, value, where or kind.__name__)
    return _of_generic(kind, value, where)


def _of_shape(kind, value, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no object"]
    fields = {field.key: field for field in json_fields(kind)}
    missing = [k for k, f in fields.items() if k not in value and not f.may_be_absent]
    found = [f"{where} lacks {key}" for key in missing]
    found += [f"{where} has {key}, which nobody told of" for key in value if key not in fields]
    known = [key for key in fields if key in value]
    if known != [key for key in value if key in fields]:
        found.append(f"{where}: the order of its keys is {list(value)}")
    for key in known:
        found += problems(fields[key].type, value[key], f"{where}.{key}")
    return found


def _of_generic(kind, value, where: str) -> list[str]:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        tried = [problems(part, value, where) for part in arguments]
        return min(tried, key=len)
    if origin is typing.Literal:
        return [] if value in arguments else [f"{where}: {value!r} is none of {arguments}"]
    if origin is tuple:
        if not isinstance(value, list):
            return [f"{where}: {value!r} is no list"]
        kinds = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(kinds) != len(value):
            return [f"{where}: {value!r} has not {len(kinds)} values"]
        pairs = enumerate(zip(kinds, value, strict=True))
        return [p for i, (k, v) in pairs for p in problems(k, v, f"{where}[{i}]")]
    assert issubclass(origin, Mapping), kind
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is no object"]
    return [p for k, v in value.items() for p in problems(arguments[1], v, f"{where}.{k}")]
