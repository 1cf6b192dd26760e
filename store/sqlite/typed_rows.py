"""Rows whose values have the types that our tables declare, whatever stands in the file.

SQLite itself guards STRICT tables as they are written; a file from somebody else was perhaps
written otherwise. Names of columns mean the same in every table and every query of ours, so one
look at the result of a query is enough, a column at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

NULL = type(None)
_INTEGERS = (
    "id", "run_id", "parent_id", "proposal_id", "node_id", "depth", "seed", "num_bytes",
    "num_chunks", "position", "number", "newest_candidate", "suggested", "too_close", "supersedes",
    "decision_id", "event_id", "kept",
)  # fmt: skip
_REALS = (
    "seconds", "value", "margin", "margin_low", "margin_high", "similarity", "val_accuracy", "macs",
)  # fmt: skip
_TEXTS = (
    "hash", "json", "uuid", "name", "architecture", "data", "environment_hash", "created_at",
    "settings_hash", "content", "structure", "edit", "state", "error", "phase", "snapshot_hash",
    "resamples", "digest", "nonfinite", "actor", "reason", "kind", "payload", "letters", "metrics",
    "settings", "environment",
)  # fmt: skip
TYPES: dict[str, frozenset[type]] = {
    **dict.fromkeys(_INTEGERS, frozenset((int,))),
    **dict.fromkeys(_REALS, frozenset((float,))),
    **dict.fromkeys(_TEXTS, frozenset((str,))),
    "part": frozenset((bytes,)),  # snapshot_chunk.data: "data" are those of a run
}
# Columns that may be empty in some table, or in what a query of ours makes of it.
MAYBE_NULL = frozenset((
    "parent_id", "proposal_id", "node_id", "newest_candidate", "suggested", "too_close",
    "supersedes", "kept", "value", "margin", "margin_low", "margin_high", "similarity",
    "val_accuracy", "macs", "edit", "error", "resamples", "nonfinite", "actor",
))  # fmt: skip
_ALLOWED = {name: types | {NULL} if name in MAYBE_NULL else types for name, types in TYPES.items()}


def wrong_column(columns: Sequence[str], rows: Sequence[sqlite3.Row]) -> str | None:
    """The first column with a value of another type than it declares; None where there is none."""
    if not rows:
        return None
    for name, values in zip(columns, zip(*rows, strict=True), strict=True):
        allowed = _ALLOWED.get(name)
        if allowed is not None and not allowed.issuperset(map(type, values)):
            return name
    return None
