"""Small and large trees for the tests of the widgets."""

from __future__ import annotations

import random

from explorer.views.tree.node import TreeNode


def node(name, structure=None, *, state="ready", kept=None, cka=None, acc=None, cut=None, **more):
    """A node whose parent and structure come from its name."""
    parent = name.rsplit(".", 1)[0] if "." in name else None
    if structure is None:
        last = name.rsplit(".", 1)[-1][0]
        structure = {"F": "filter", "L": "layer", "H": "head"}.get(last, "root")
    return TreeNode(name, parent, structure, state, kept, cka, acc, cut, **more)


def small_tree():
    """Every state, a branch of its own below a rejected node, three children, a tag."""
    return [
        node("R", kept=True, acc=93.2, cut=0.0),
        node("R.F", kept=False, cka=0.9565, acc=92.5, cut=6.6),
        node("R.L", kept=True, cka=0.9737, acc=92.8, cut=7.1),
        node("R.F.F", kept=False, cka=0.91, acc=90.5, cut=12.0),
        node("R.F.L", state="failed", kept=False),
        node("R.L.F", kept=True, cka=0.9931, acc=93.4, cut=15.0, tagged=True),
        node("R.L.L", kept=False, cka=0.9596, acc=92.5, cut=15.2),
        node("R.L.L2", state="queued"),
        node("R.L.F.F", cka=1.0, acc=100.0, cut=21.5),
        node("R.L.F.L", state="running", running_share=0.5),
    ]


def chain(count):
    """As greedy growth makes it: each kept node has two children, of which one is kept."""
    draw = random.Random(0)
    nodes = [node("R", kept=True, acc=93.0, cut=0.0)]
    parent = nodes[0]
    while len(nodes) < count:
        kept = draw.choice(("filter", "layer"))
        for structure in ("filter", "layer"):
            child = TreeNode(
                f"n{len(nodes)}",
                parent.name,
                structure,
                "ready",
                structure == kept,
                0.99,
                92.0,
                9.0,
            )
            nodes.append(child)
            if child.kept:
                parent_next = child
        parent = parent_next
    return nodes[:count]
