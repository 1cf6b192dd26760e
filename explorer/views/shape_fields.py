"""Fields of what `--json` prints, each with its words for docs/json.md."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.contracts.codec import encode
from engine.contracts.json_values import JsonValue

_ABOUT, _ABSENT = "about", "absent"


@dataclass(frozen=True)
class ShapeField:
    """One key of a shape: its type, what it means, and whether it can be left out."""

    key: str
    type: object
    about: str
    may_be_absent: bool = False


def told(about: str) -> Any:
    """A dataclass field, and what the page says of it."""
    return dataclasses.field(metadata={_ABOUT: about})


def told_if_known(about: str) -> Any:
    """A field that is null where nobody gives it."""
    return dataclasses.field(default=None, metadata={_ABOUT: about})


def absent(about: str) -> Any:
    """A field whose key is left out where there is nothing to say."""
    return dataclasses.field(default=None, metadata={_ABOUT: about, _ABSENT: True})


def fields_of(kind: type, hints: Mapping[str, object]) -> list[ShapeField]:
    """The keys that a dataclass is printed with."""
    found = []
    for f in dataclasses.fields(kind):
        may_be_absent = _ABSENT in f.metadata
        hint = _without_none(hints[f.name]) if may_be_absent else hints[f.name]
        found.append(ShapeField(f.name, hint, f.metadata.get(_ABOUT, ""), may_be_absent))
    return found


def _without_none(hint: Any) -> object:
    """The type of a value that is there."""
    parts = [part for part in typing.get_args(hint) if part is not type(None)]
    return parts[0] if len(parts) == 1 else hint


def without_absent(value: Any) -> dict[str, JsonValue]:
    """A dataclass as a JSON object, without what it has nothing to say of."""
    pairs = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
    return {f.name: encode(v) for f, v in pairs if v is not None or _ABSENT not in f.metadata}
