"""Whether nodes make a tree, looked at where they are read: one root, parents first, names that say
the way. Rows that lead in circles would lead every walk from child to parent in circles, too."""

from __future__ import annotations

import re
from collections.abc import Sequence

from store.records import Node
from store.sqlite.connection import Connection

_LAST_NAME = re.compile(r"\.[A-Z]+\d*", re.ASCII)


def check_tree(connection: Connection, nodes: Sequence[Node], run_id: int) -> None:
    """Raises DamagedStoreError where all nodes of a run, in the order of their ids, are no tree."""
    if not nodes:
        raise connection.damaged(f"run {run_id} has no root")
    seen: dict[int, Node] = {}
    for node in nodes:
        parent = None if node.parent_id is None else seen.get(node.parent_id)
        if node.parent_id is not None and parent is None:
            raise connection.damaged(f"{_of(node)} has no parent in its run that came before it")
        _check_step(connection, node, parent, is_first=not seen)
        seen[node.id] = node


def check_way(connection: Connection, nodes: Sequence[Node], node_id: int) -> None:
    """Raises DamagedStoreError where nodes are not the way from a root to the one of that id."""
    parent: Node | None = None
    for node in nodes:
        if node.parent_id != (None if parent is None else parent.id):
            raise connection.damaged(f"{_of(node)} is not on a way from the root to {node_id}")
        _check_step(connection, node, parent, is_first=parent is None)
        parent = node
    if parent is None or parent.id != node_id:
        raise connection.damaged(f"node {node_id} is on no way from a root")


def _check_step(connection: Connection, node: Node, parent: Node | None, *, is_first: bool) -> None:
    if parent is None:
        if not is_first:
            raise connection.damaged(f"{_of(node)} is a second root of its run")
        if (node.name, node.depth, node.edit, node.state) != ("R", 0, None, "ready"):
            raise connection.damaged(f"{_of(node)} has no parent and is no root")
        return
    if node.edit is None or node.depth != parent.depth + 1 or node.run_id != parent.run_id:
        raise connection.damaged(f"{_of(node)} is no candidate of its parent {parent.name}")
    way, last = node.name[: len(parent.name)], node.name[len(parent.name) :]
    if way != parent.name or not _LAST_NAME.fullmatch(last):
        raise connection.damaged(f"{_of(node)} is not named after its parent {parent.name}")


def _of(node: Node) -> str:
    return f"node {node.id} ({node.name[:60]!r}, run {node.run_id})"
