"""Fields of what `--json` prints, each with its words for docs/json.md."""

from __future__ import annotations

import dataclasses
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


def absent(about: str) -> Any:
    """A field whose key is left out where there is nothing to say."""
    return dataclasses.field(default=None, metadata={_ABOUT: about, _ABSENT: True})


def fields_of(kind: type, hints: dict[str, Any]) -> list[ShapeField]:
    """The keys that a dataclass is printed with."""
    return [
        ShapeField(f.name, hints[f.name], f.metadata.get(_ABOUT, ""), _ABSENT in f.metadata)
        for f in dataclasses.fields(kind)
    ]


def without_absent(value: Any) -> dict[str, JsonValue]:
    """A dataclass as a JSON object, without what it has nothing to say of."""
    pairs = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
    return {f.name: encode(v) for f, v in pairs if v is not None or _ABSENT not in f.metadata}
