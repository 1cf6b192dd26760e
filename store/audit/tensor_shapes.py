"""Shapes of a snapshot's tensors, read from its safetensors header, and what an edit does to them.

A safetensors file starts with the length of its header (8 bytes, little endian), then the header:
JSON that names each tensor with its type, shape and place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

from store.records import JsonObject

Shapes = dict[str, tuple[int, ...]]  # by the tensor's name
LENGTH_BYTES = 8
_MOST_BYTES = 100 * 2**20  # safetensors itself reads no longer header


def header_bytes(start: bytes) -> int | None:
    """How long length and header are together; None where these bytes start no header."""
    length = int.from_bytes(start[:LENGTH_BYTES], "little")
    return LENGTH_BYTES + length if len(start) >= LENGTH_BYTES and length <= _MOST_BYTES else None


def shapes_of(start: bytes) -> Shapes | None:
    """The shapes of the tensors of a snapshot that starts so; None where it is no safetensors."""
    end = header_bytes(start)
    if end is None or end > len(start):
        return None
    try:
        header = json.loads(start[LENGTH_BYTES:end])
        return {
            name: tuple(int(size) for size in about["shape"])
            for name, about in header.items()
            if name != "__metadata__"
        }
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def mismatch(edit: JsonObject, parent: Shapes, child: Shapes) -> str | None:
    """Why the child's tensors are not the parent's after the edit; None where they are.

    Edits of a structure unknown here say nothing about shapes.
    """
    blocks, filters = edit.get("blocks"), edit.get("filters")
    counts: Mapping[str, int] = {}
    if isinstance(filters, Mapping):
        counts = {path: len(cast(Sequence[int], removed)) for path, removed in filters.items()}
    if isinstance(blocks, Sequence) and blocks:
        return _layer_mismatch([str(block) for block in blocks], counts, parent, child)
    return _filter_mismatch(counts, parent, child) if counts else None


def _layer_mismatch(
    blocks: list[str], counts: Mapping[str, int], parent: Shapes, child: Shapes
) -> str | None:
    """Without blocks, and without filters of others where some are counted."""

    def within(name: str) -> bool:
        return any(name.startswith(f"{block}.") for block in blocks)

    if missing := [block for block in blocks if not any(n.startswith(f"{block}.") for n in parent)]:
        return f"the parent has no block {missing[0]}"
    if left := [name for name in child if within(name)]:
        return f"{left[0]} is still there"
    rest = {n: s for n, s in parent.items() if not within(n)}
    return _filter_mismatch(counts, rest, child) if counts else _difference(rest, child)


def _filter_mismatch(counts: Mapping[str, int], parent: Shapes, child: Shapes) -> str | None:
    if parent.keys() != child.keys():
        return _difference(parent, child)
    for path, count in counts.items():
        weight = f"{path}.weight"
        if weight not in parent:
            return f"the parent has no convolution {path}"
        gone = parent[weight][0] - child[weight][0] if parent[weight] and child[weight] else 0
        if gone != count:
            return f"{path} has {gone} filters less, not {count}"
    for name, before in parent.items():
        possible = {0} | {n for path, n in counts.items() if name.startswith(_block_of(path))}
        lost = [old - new for old, new in zip(before, child[name], strict=False)]
        # Outputs and inputs may go, of these filters only; the size of a kernel never changes.
        same_rank = len(child[name]) == len(before)
        if not same_rank or not set(lost[:2]) <= possible or any(lost[2:]):
            return f"{name} has the shape {list(child[name])}, from {list(before)}"
    return _unread_outputs(counts, parent, child)


def _unread_outputs(counts: Mapping[str, int], parent: Shapes, child: Shapes) -> str | None:
    """Whether what reads a convolution still expects the filters that are gone."""
    for path, count in counts.items():
        others = [n for n in parent if n.startswith(_block_of(path)) and n != f"{path}.weight"]
        inputs = [parent[n][1] - child[n][1] for n in others if len(parent[n]) > 1]
        if inputs and count not in inputs:
            return f"nothing beside {path} has {count} inputs less"
    return None


def _block_of(path: str) -> str:
    """What the names of all tensors around a convolution start with."""
    return path[: path.rfind(".") + 1]


def _difference(expected: Shapes, found: Shapes) -> str | None:
    if lacking := sorted(expected.keys() - found.keys()):
        return f"{lacking[0]} is missing"
    if new := sorted(found.keys() - expected.keys()):
        return f"{new[0]} was not there before"
    for name, shape in expected.items():
        if found[name] != shape:
            return f"{name} has the shape {list(found[name])}, not {list(shape)}"
    return None
