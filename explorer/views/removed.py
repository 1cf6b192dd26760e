"""What an edit removes, in words: the one place where an edit is described."""

from __future__ import annotations

from engine.contracts.edits import Edit
from engine.contracts.errors import EditError
from explorer.views.counting import counted
from store import Node


def stored_edit(node: Node) -> Edit | None:
    """What a stored node's edit removes, None for the root. One that this version cannot read
    removes nothing that it knows of: `verify` tells of it."""
    if node.edit is None:
        return None
    try:
        return Edit.from_json(node.edit)
    except EditError:
        return Edit(node.structure)


def removed(edit: Edit) -> str:
    """What an edit removes: the paths of its blocks, or how many filters of how many places."""
    return ", ".join(edit.blocks) if edit.blocks else _filters(edit, "convolution", " of ")


def removed_briefly(edit: Edit) -> tuple[str, ...]:
    """The same for narrow places, shorter and shorter."""
    if edit.blocks:
        return edit.blocks if len(edit.blocks) == 1 else (f"{len(edit.blocks)} blocks",)
    return (
        _filters(edit, "conv", " / "),
        _filters(edit, "conv", "/"),
        f"{edit.num_filters}f/{counted(len(edit.filters), 'conv')}",
    )


def _filters(edit: Edit, place: str, between: str) -> str:
    return between.join((counted(edit.num_filters, "filter"), counted(len(edit.filters), place)))
