"""Nodes as CSV (RFC 4180): a line a node, the keys of a NODE of `--json` above them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from explorer.views.node_view import PRINTED, NodeView
from explorer.views.safe_text import safe

COLUMNS = ("name", "parent", "structure", "state", "kept", "decided_by", *PRINTED, "removes",
           "tags", "note", "seconds")  # fmt: skip
_BEGINS_A_FORMULA = ("=", "+", "-", "@")


def nodes_as_csv(nodes: Iterable[NodeView], columns: Sequence[str] = COLUMNS) -> str:
    """All of it, lines ended by a line feed. Absent values are empty; what a spreadsheet would
    take for a formula is text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for node in nodes:
        values = node.as_json()
        writer.writerow([_cell(values.get(column)) for column in columns])
    return out.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        value = " ".join(map(str, value))
    if isinstance(value, str):
        text = safe(value)
        return f"'{text}" if text.startswith(_BEGINS_A_FORMULA) else text
    return value
