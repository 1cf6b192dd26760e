"""The one way from frozen dataclasses to JSON values and back.

`encode` gives a dataclass as an object of its fields, with its `KIND` first where it has one;
`decode` reads it again and checks every type. A class with `as_json` and `from_json` of its own is
asked instead. A field that is missing takes its default, a field that is unknown is passed over:
documents of an older or a newer version stay readable. The fields of a field that is `spread` stand
among those of its holder.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from engine.contracts.errors import UserError
from engine.contracts.json_values import JsonValue

T = TypeVar("T")
_SPREAD = "spread"


class FormatError(ValueError):
    """A document that does not hold what its reader expects; says where, what, and what instead."""


def spread(kind: type) -> Any:
    """A dataclass's field of a type all of whose fields have defaults, and stand in its JSON as if
    they were the dataclass's own."""
    return dataclasses.field(default_factory=kind, metadata={_SPREAD: True})


def encode(value: object, *, defaults: bool = True) -> JsonValue:
    """A value as JSON. Without `defaults` those fields are left out that have theirs: so that a
    field which a later version adds changes no hash."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if hasattr(value, "as_json"):
        return typing.cast(JsonValue, value.as_json())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _encode_fields(value, defaults)
    if isinstance(value, Mapping):
        return {str(key): encode(item, defaults=defaults) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [encode(item, defaults=defaults) for item in value]
    raise TypeError(f"{type(value).__name__} {value!r} has no form in JSON")


def encode_object(value: object) -> dict[str, JsonValue]:
    """A dataclass as a JSON object."""
    encoded = encode(value)
    assert isinstance(encoded, dict)
    return encoded


def _encode_fields(value: Any, defaults: bool) -> dict[str, JsonValue]:
    kind = getattr(value, "KIND", None)
    told: dict[str, JsonValue] = {} if kind is None else {"kind": kind}
    for field in dataclasses.fields(value):
        item = getattr(value, field.name)
        if _SPREAD in field.metadata:
            told |= _encode_fields(item, defaults)
        elif defaults or not _is_default(field, item):
            told[field.name] = encode(item, defaults=defaults)
    return told


def _is_default(field: dataclasses.Field[Any], item: object) -> bool:
    if field.default_factory is not dataclasses.MISSING:
        return bool(item == field.default_factory())
    return field.default is not dataclasses.MISSING and item == field.default


def content_hash(value: object) -> str:
    """A name for what a value says: equal values have equal hashes, in every version that adds
    fields with defaults."""
    text = json.dumps(_one_form(encode(value, defaults=False)), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _one_form(value: JsonValue) -> JsonValue:
    """The same value with equal numbers written alike: a rate of 1.0 is a rate of 1."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _one_form(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_one_form(item) for item in value]
    return value


def decode(kind: type[T], value: object, where: str = "") -> T:
    """The dataclass that `encode` gave. Raises FormatError."""
    return typing.cast(T, _decode(kind, value, where or kind.__name__))


class TaggedUnion(Generic[T]):
    """Dataclasses told apart by the `KIND` that each has."""

    def __init__(self, *members: type[T]) -> None:
        self.members = {str(vars(member)["KIND"]): member for member in members}

    def decode(self, value: object, where: str = "") -> T:
        """The member that a value is of. Raises FormatError."""
        kind = value.get("kind") if isinstance(value, Mapping) else None
        if not isinstance(kind, str) or kind not in self.members:
            raise FormatError(
                f"{where or 'a value'} is of kind {kind!r}; it is one of {', '.join(self.members)}"
            )
        return decode(self.members[kind], value, where or kind)


# ------------------------------------------------------------ reading one type


def _decode(kind: Any, value: object, where: str) -> object:
    if kind is Any or kind is object:
        return value
    origin = typing.get_origin(kind)
    if origin is None:
        return _decode_plain(kind, value, where)
    arguments = typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return _decode_union(arguments, value, where)
    if origin is typing.Literal:
        if value in arguments and type(value) in {type(a) for a in arguments}:
            return value
        raise _wrong(where, value, " or ".join(map(repr, arguments)))
    if origin is tuple:
        return _decode_tuple(arguments, value, where)
    if issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(where, value, "an object")
        return {str(k): _decode(arguments[1], v, f"{where}.{k}") for k, v in value.items()}
    if issubclass(origin, Sequence):
        return [
            _decode(arguments[0], v, f"{where}[{i}]") for i, v in enumerate(_items(value, where))
        ]
    raise TypeError(f"{where}: {kind} is no type that a document can have")


def _decode_plain(kind: Any, value: object, where: str) -> object:
    if kind is type(None) or kind is None:
        if value is not None:
            raise _wrong(where, value, "null")
        return None
    if kind is float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(where, value, "a number")
        try:
            return float(value)
        except OverflowError:  # a whole number of more than 308 digits
            raise _wrong(where, value, "a number that a float can hold") from None
    if kind in (bool, int, str):
        if type(value) is not kind:
            raise _wrong(
                where, value, {bool: "true or false", int: "a whole number"}.get(kind, "text")
            )
        return value
    if hasattr(kind, "from_json"):
        try:
            return kind.from_json(value)
        except UserError as error:
            raise FormatError(f"{where}: {error}") from error
    if dataclasses.is_dataclass(kind):
        return _decode_fields(kind, value, where)
    raise TypeError(f"{where}: {kind} is no type that a document can have")


def _decode_fields(kind: Any, value: object, where: str) -> object:
    if not isinstance(value, Mapping):
        raise _wrong(where, value, "an object")
    given = {}
    for name, hint, needed, is_spread in _fields(kind):
        if is_spread:
            given[name] = _decode_fields(hint, value, where)
        elif name in value:
            given[name] = _decode(hint, value[name], f"{where}.{name}")
        elif needed:
            raise FormatError(f"{where} lacks {name!r}")
    return kind(**given)


@functools.cache
def _fields(kind: Any) -> tuple[tuple[str, Any, bool, bool], ...]:
    """Name, type, whether it has to be there and whether it is spread, of each field."""
    hints = typing.get_type_hints(kind)
    missing = dataclasses.MISSING
    return tuple(
        (
            f.name,
            hints[f.name],
            f.default is missing and f.default_factory is missing,
            _SPREAD in f.metadata,
        )
        for f in dataclasses.fields(kind)
        if f.init
    )


def _decode_union(members: Sequence[Any], value: object, where: str) -> object:
    """The first member that a value fits; members with a `KIND` are told apart by that alone."""
    if value is None and type(None) in members:
        return None
    tagged = [member for member in members if isinstance(member, type) and "KIND" in vars(member)]
    if tagged and isinstance(value, Mapping):
        return TaggedUnion(*tagged).decode(value, where)
    problems = []
    for member in members:
        if member is type(None) or member in tagged:
            continue
        try:
            return _decode(member, value, where)
        except FormatError as error:
            problems.append(str(error))
    if not problems:
        raise _wrong(where, value, "an object")
    raise FormatError("; or ".join(problems))


def _decode_tuple(arguments: Sequence[Any], value: object, where: str) -> tuple[object, ...]:
    items = _items(value, where)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_decode(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(items))
    if len(items) != len(arguments):
        raise _wrong(where, value, f"{len(arguments)} values")
    pairs = zip(arguments, items, strict=True)
    return tuple(_decode(kind, item, f"{where}[{i}]") for i, (kind, item) in enumerate(pairs))


def _items(value: object, where: str) -> Sequence[object]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _wrong(where, value, "a list")
    return value


def _wrong(where: str, value: object, expected: str) -> FormatError:
    shown = repr(value)
    return FormatError(f"{where} is {shown[:80]}{'…' if len(shown) > 80 else ''}, not {expected}")
