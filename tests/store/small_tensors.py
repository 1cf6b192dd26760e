"""Trees with real safetensors, as small as they can be."""

from __future__ import annotations

import json
import math

from store_helpers import decide, finish, make_run

from store import Node, TreeStore

ROOT = {
    "layer1.0.conv1.weight": (8, 4, 3, 3),
    "layer1.0.bn1.weight": (8,),
    "layer1.0.conv2.weight": (4, 8, 3, 3),
    "layer1.1.conv1.weight": (8, 4, 3, 3),
    "layer1.1.conv2.weight": (4, 8, 3, 3),
    "fc.weight": (3, 4),
}
LAYER = {"structure": "layer", "blocks": ["layer1.1"]}
FILTER = {"structure": "filter", "filters": {"layer1.0.conv1": [1, 2, 5]}}
WITHOUT_LAYER = {name: shape for name, shape in ROOT.items() if "layer1.1" not in name}
WITHOUT_FILTERS = ROOT | {
    "layer1.0.conv1.weight": (5, 4, 3, 3),
    "layer1.0.bn1.weight": (5,),
    "layer1.0.conv2.weight": (4, 5, 3, 3),
}


def tensors(shapes: dict[str, tuple[int, ...]], fill: int = 0) -> bytes:
    """A safetensors file of these tensors, every byte of them `fill`."""
    header, place = {}, 0
    for name, shape in shapes.items():
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps({"__metadata__": {"format": "pt"}} | header).encode()
    return len(text).to_bytes(8, "little") + text + bytes([fill]) * place


def grow(store: TreeStore, **run: object) -> dict[str, Node]:
    """R, its two candidates, R.L kept and tuned, the two candidates of R.L; by name."""
    made = make_run(store, root_snapshot=tensors(ROOT), **run)
    root = store.node(made.id, "R")
    layer, filters = store.add_candidates(root.id, proposal={}, edits=[LAYER, FILTER])
    finish(store, layer, snapshot=tensors(WITHOUT_LAYER, 1))
    finish(store, filters, snapshot=tensors(WITHOUT_FILTERS, 2))
    decide(store, root, layer)
    finish(store, layer, "tuned", snapshot=tensors(WITHOUT_LAYER, 3))
    both = {n: s for n, s in WITHOUT_FILTERS.items() if "layer1.1" not in n}
    below = store.add_candidates(layer.id, proposal={}, edits=[FILTER, FILTER])
    for i, node in enumerate(below):
        finish(store, node, snapshot=tensors(both, 4 + i))
    return {node.name: node for node in store.nodes(made.id)}
