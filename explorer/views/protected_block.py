"""The block that looks least important but is never proposed for removal."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from explorer.session.documents import RunDocument
from explorer.views.network_structure import staying, structure_of_root
from explorer.views.proposed_scores import newest_scores
from explorer.views.removed import way_to
from store import Node, TreeStore

Protected = tuple[str, str]  # its path and why it stays
# By open store and node, as of an event of its run: a card is painted several times a second, and
# the scores of a large network take their time to be read.
_KNOWN: WeakKeyDictionary[TreeStore, dict[int, tuple[int, Protected | None]]] = WeakKeyDictionary()


def protected_block(store: TreeStore, document: RunDocument, parent: Node) -> Protected | None:
    """Its path and why it stays; None where the block that scores lowest may go."""
    known, newest = _KNOWN.setdefault(store, {}), store.last_event_id(document.run.id)
    if parent.id not in known or known[parent.id][0] != newest:
        known[parent.id] = newest, _found(store, document, parent)
    return known[parent.id][1]


def _found(store: TreeStore, document: RunDocument, parent: Node) -> Protected | None:
    proposed = newest_scores(store, parent.id)
    if proposed is None or not proposed.scores.blocks:
        return None
    lowest = min(proposed.scores.blocks, key=lambda path: proposed.scores.blocks[path])
    stay = staying_at(store, document, parent)
    return (lowest, stay[lowest]) if lowest in stay else None


def staying_at(store: TreeStore, document: RunDocument, node: Node) -> dict[str, str]:
    """Why blocks that are left in a node's network are never proposed, by their paths."""
    scoring = document.settings.scoring
    root = structure_of_root(document)
    return staying(root, way_to(store, node), scoring.min_blocks, scoring.keep)
