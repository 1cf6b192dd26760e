"""Values of rows, read without trust: JSON that may be none, numbers that may be missing.

Each says of a wrong one where it stands, as a DamagedStoreError of the store.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

from store.records import JsonObject, JsonValue
from store.sqlite import canonical_json
from store.sqlite.canonical_json import UnreadableJsonError
from store.sqlite.connection import Connection

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def json_object(connection: Connection, text: str, where: str) -> JsonObject:
    """The object that a text holds; `where` names row and column ("the edit of node 5")."""
    value = _value(connection, text, where)
    if not isinstance(value, dict):
        raise connection.damaged(f"{where} is {_shown(text)}, not a JSON object")
    return value


def json_objects(
    connection: Connection, texts: Sequence[str], where: Callable[[int], str]
) -> list[JsonObject]:
    """The objects of many texts; one reading of all is several times as quick as one of each."""
    try:
        values = canonical_json.from_texts(texts)
    except UnreadableJsonError:
        values = []
    if len(values) == len(texts) and all(isinstance(value, dict) for value in values):
        return cast(list[JsonObject], values)
    return [json_object(connection, text, where(place)) for place, text in enumerate(texts)]


def numbers(connection: Connection, text: str, where: str) -> list[float]:
    """The list of numbers that a text holds."""
    value = _value(connection, text, where)
    if not isinstance(value, list) or not all(_is_number(item) for item in value):
        raise connection.damaged(f"{where} is {_shown(text)}, not a list of numbers")
    return cast(list[float], value)


def measured(connection: Connection, text: str, where: str) -> dict[str, float]:
    """The numbers by name that a text holds."""
    value = json_object(connection, text, where)
    if not all(_is_number(item) for item in value.values()):
        raise connection.damaged(f"{where} is {_shown(text)}, not numbers by name")
    return cast(dict[str, float], value)


def number(connection: Connection, value: float | None, nonfinite: str | None, where: str) -> float:
    """A measure, which is in one of two columns."""
    if value is None:
        value = _NOT_FINITE.get(nonfinite or "")
    if value is None:
        raise connection.damaged(f"{where} has no value")
    return value


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(connection: Connection, text: str, where: str) -> JsonValue:
    try:
        return canonical_json.from_text(text)
    except UnreadableJsonError as error:
        raise connection.damaged(f"{where} cannot be read: {error}") from error


def _shown(text: str) -> str:
    return repr(text[:60] + ("…" if len(text) > 60 else ""))
