"""The block that looks least important but is never proposed for removal."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from explorer.session.documents import RunDocument
from explorer.views.network_structure import staying, structure_of_root
from explorer.views.proposed_scores import newest_scores
from explorer.views.removed import stored_edit
from store import Node, TreeStore

# By open store and node; edits never change, and following those of a deep node takes its time.
_STAYING: WeakKeyDictionary[TreeStore, dict[int, Mapping[str, str]]] = WeakKeyDictionary()


def protected_block(
    store: TreeStore, document: RunDocument, parent: Node
) -> tuple[str, str] | None:
    """Its path and why it stays; None where the block that scores lowest may go."""
    proposed = newest_scores(store, parent.id)
    if proposed is None or not proposed.scores.blocks:
        return None
    lowest = min(proposed.scores.blocks, key=lambda path: proposed.scores.blocks[path])
    known = _STAYING.setdefault(store, {})
    if parent.id not in known:
        known[parent.id] = _staying(store, document, parent)
    why = known[parent.id].get(lowest)
    return None if why is None else (lowest, why)


def _staying(store: TreeStore, document: RunDocument, parent: Node) -> Mapping[str, str]:
    edits = [stored_edit(node) for node in store.lineage(parent.id)]
    root, min_blocks = structure_of_root(document), document.settings.scoring.min_blocks
    return staying(root, [edit for edit in edits if edit is not None], min_blocks)
