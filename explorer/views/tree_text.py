"""A tree as lines of text, for a terminal without a screen."""

from __future__ import annotations

from collections.abc import Sequence

from explorer.views.node_view import NodeView
from explorer.views.standing import GLYPHS, standing


def tree_lines(nodes: Sequence[NodeView]) -> list[tuple[str, NodeView]]:
    """Each node with its line of the drawing, children below their parents."""
    names = {node.name for node in nodes}
    children: dict[str | None, list[NodeView]] = {}
    for node in nodes:
        # Of a part of a tree, what lacks its parent begins a tree of its own.
        parent = node.parent if node.parent in names else None
        children.setdefault(parent, []).append(node)
    lines: list[tuple[str, NodeView]] = []
    # (node, its stem, what its children are indented by); a stack, for trees can be deep.
    stack = [(node, "", "") for node in reversed(children.get(None, []))]
    while stack:
        node, stem, indent = stack.pop()
        lines.append((f"{stem}{GLYPHS[standing(node)]} {node.name}", node))
        below = children.get(node.name, [])
        for child in reversed(below):
            last = child is below[-1]
            stack.append(
                (child, indent + ("└ " if last else "├ "), indent + ("  " if last else "│ "))
            )
    return lines
