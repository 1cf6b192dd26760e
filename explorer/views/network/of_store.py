"""Diagram, difference and rankings of nodes that a store holds."""

from __future__ import annotations

from collections.abc import Mapping

from engine.contracts.errors import UsageError
from engine.contracts.structure import NetworkStructure
from explorer.session.documents import RunDocument
from explorer.views.network.diagram import Diagram, diagram
from explorer.views.network.differences import NetworksDiffer, networks_differ
from explorer.views.network.rankings import Ranked, Rankings, rankings
from explorer.views.network_structure import structure_of_root
from explorer.views.node_view import NodeView
from explorer.views.proposed_scores import newest_scores
from explorer.views.removed import stored_edit, way_to
from store import Node, TreeStore


def known_structure(document: RunDocument) -> NetworkStructure:
    """What can be removed from a run's root. Raises UsageError where nobody knows."""
    found = structure_of_root(document)
    if found is None:
        raise UsageError(
            f"what the network of run {document.run.name} is made of is not stored: the run was "
            "begun by an older version. Begin another run of it (`pe-explore auto MODEL "
            "--new-run`) to see it"
        )
    return found


def stored_diagram(
    store: TreeStore, document: RunDocument, node: Node, view: NodeView | None
) -> Diagram:
    """The diagram of a node; `view` has its figures."""
    return diagram(known_structure(document), way_to(store, node), view)


def stored_difference(
    store: TreeStore, document: RunDocument, names: tuple[str, str], views: Mapping[str, NodeView]
) -> NetworksDiffer:
    """How the networks of two nodes differ."""
    a, b = (way_to(store, store.node(document.run.id, name)) for name in names)
    shown = (views[names[0]], views[names[1]])
    return networks_differ(document.run.name, known_structure(document), (a, b), shown)


def stored_rankings(store: TreeStore, document: RunDocument, node: Node) -> Rankings:
    """The rankings from the root to a node, each from the newest proposal of that parent."""
    lineage = list(store.lineage(node.id))
    way = []
    for place, each in enumerate(lineage):
        proposed = newest_scores(store, each.id)
        following = lineage[place + 1] if place + 1 < len(lineage) else None
        way.append(
            Ranked(
                each.name,
                proposed.scores if proposed else None,
                proposed.criterion if proposed else None,
                stored_edit(following) if following else None,
            )
        )
    scoring = document.settings.scoring
    return rankings(known_structure(document), way, scoring.min_blocks, scoring.keep)
