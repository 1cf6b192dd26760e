"""JSON as types: what a document may hold, without `Any`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    JsonValue: TypeAlias = (
        bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"] | None
    )
else:
    JsonValue = object  # the codec passes it through; names inside names could not be resolved

JsonObject: TypeAlias = Mapping[str, JsonValue]
