"""JSON as the store writes it: canonical (equal content, equal text), and NaN survives.

JSON has no number that is not finite; such a one is written as {"$number": "nan"}.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence

from store.errors import InvalidValueError
from store.records import JsonValue

_NUMBER = "$number"
_MAX_DEPTH = 200
LONGEST = 16 * 2**20  # characters of one document; the scores of a million filters
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_STRINGS_AND_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')


class UnreadableJsonError(ValueError):
    """A text of a store that is no JSON, or none that can have been written here."""


def number_name(value: float) -> str | None:
    """The name of a number that is not finite ('nan', 'inf', '-inf'), None for a finite one."""
    if math.isfinite(value):
        return None
    if math.isnan(value):
        return "nan"
    return "inf" if value > 0 else "-inf"


def _writable(value: object, where: str, depth: int = 0) -> JsonValue:
    """`value` with plain JSON types all the way down."""
    if depth > _MAX_DEPTH:
        raise InvalidValueError(f"{where[:80]}… is nested deeper than {_MAX_DEPTH}; flatten it")
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        name = number_name(value)
        return float(value) if name is None else {_NUMBER: name}
    if isinstance(value, list | tuple):
        return [_writable(item, f"{where}[{i}]", depth + 1) for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or key == _NUMBER:
                raise InvalidValueError(
                    f"{where} has the key {key!r}; keys must be text other than {_NUMBER!r}"
                )
        return {key: _writable(item, f"{where}.{key}", depth + 1) for key, item in value.items()}
    raise InvalidValueError(
        f"{where} is a {type(value).__name__}, which JSON cannot hold; "
        "convert it to a number, text, list or dict first"
    )


def to_text(value: object, what: str) -> str:
    """`value` as canonical JSON text.

    Raises InvalidValueError, naming the place inside `what` that JSON cannot hold.
    """
    text = json.dumps(_writable(value, what), sort_keys=True, separators=(",", ":"))
    if len(text) > LONGEST:
        raise InvalidValueError(f"{what} has {len(text):,} characters as JSON; at most {LONGEST:,}")
    return text


def object_text(value: object, what: str) -> str:
    """As `to_text`, of a dict only."""
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"{what} is a {type(value).__name__}; give a dict")
    return to_text(value, what)


def _readable(item: dict[str, JsonValue]) -> JsonValue:
    if item.keys() != {_NUMBER}:
        return item
    name = item[_NUMBER]
    if not isinstance(name, str) or name not in _NOT_FINITE:
        raise ValueError(f"{name!r} is no number that is not finite")
    return _NOT_FINITE[name]


def from_text(text: str) -> JsonValue:
    """The value that `to_text` wrote, as new objects. Raises UnreadableJsonError for any text that
    it could not have written."""
    return from_texts((text,))[0]


def from_texts(texts: Sequence[str]) -> list[JsonValue]:
    """The values of many texts; one reading of all is several times as quick as one of each."""
    for text in texts:
        _check_bounds(text)
    whole = f"[{','.join(texts)}]"
    try:
        values: list[JsonValue] = (
            json.loads(whole, object_hook=_readable) if _NUMBER in whole else json.loads(whole)
        )
    except (ValueError, RecursionError) as error:
        raise UnreadableJsonError(f"it is no JSON ({error})") from error
    if len(values) != len(texts):
        raise UnreadableJsonError("it is more than one value")
    return values


def _check_bounds(text: str) -> None:
    """Raises UnreadableJsonError for what is too long or too deep, before it is read."""
    if len(text) <= 2 * _MAX_DEPTH:
        return  # as nearly every one
    if len(text) > LONGEST:
        raise UnreadableJsonError(f"it has {len(text):,} characters, more than {LONGEST:,}")
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return
    depth = 0
    for found in _STRINGS_AND_BRACKETS.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth > _MAX_DEPTH + 1:
            raise UnreadableJsonError(f"it is nested deeper than {_MAX_DEPTH}")


def text_hash(text: str) -> str:
    """SHA-256 of the text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def finite_or_none(value: float | None) -> float | None:
    """A finite number as it is; one that is not finite says nothing, so None."""
    return None if value is None or not math.isfinite(value) else float(value)


def plain_text(value: object, what: str, *, longest: int, shortest: int = 0) -> str:
    """`value` where it is text that SQLite can hold, of `shortest` to `longest` characters.

    Raises InvalidValueError.
    """
    if not isinstance(value, str):
        raise InvalidValueError(f"{what} is a {type(value).__name__}; give text")
    if not shortest <= len(value) <= longest:
        raise InvalidValueError(f"{what} has {len(value)} characters; give {shortest} to {longest}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidValueError(
            f"{what} {value[:80]!r} holds half a character at position {error.start}; remove it"
        ) from None
    if "\0" in value:
        raise InvalidValueError(f"{what} {value[:80]!r} holds a zero byte; remove it")
    return value
