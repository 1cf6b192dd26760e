"""What an edit removes, in words: the one place where an edit is described."""

from __future__ import annotations

from collections.abc import Mapping

from engine.contracts.edits import Edit
from engine.contracts.errors import EditError
from explorer.views.counting import counted
from store import Node, TreeStore


def stored_edit(node: Node) -> Edit | None:
    """What a stored node's edit removes, None for the root. One that this version cannot read
    removes nothing that it knows of: `verify` tells of it."""
    if node.edit is None:
        return None
    try:
        return Edit.from_json(node.edit)
    except EditError:
        return Edit(node.structure)


def way_to(store: TreeStore, node: Node) -> list[Edit]:
    """The edits from the root to a node, as far as this version can read them."""
    return [edit for each in store.lineage(node.id) if (edit := stored_edit(each)) is not None]


def removed(edit: Edit) -> str:
    """What an edit removes: the paths of its blocks, and how many units of how many places."""
    units = (_units(edit, _PLACES, " of "),) if edit.units or not edit.blocks else ()
    return ", ".join((*edit.blocks, *units))


def removed_briefly(edit: Edit) -> tuple[str, ...]:
    """The same for narrow places, shorter and shorter."""
    if edit.blocks and edit.units:
        blocks, units = counted(len(edit.blocks), "block"), counted(edit.num_units, edit.structure)
        return f"{blocks}, {units}", f"{len(edit.blocks)}b {edit.num_units}u"
    if edit.blocks:
        return edit.blocks if len(edit.blocks) == 1 else (f"{len(edit.blocks)} blocks",)
    place = _BRIEF_PLACES.get(edit.structure, "layer")
    return (
        _units(edit, _BRIEF_PLACES, " / "),
        _units(edit, _BRIEF_PLACES, "/"),
        f"{edit.num_units}{edit.structure[0]}/{counted(len(edit.units), place)}",
    )


# Of what units are, by their kind; else of layers, in the sense of nn.Linear.
_PLACES = {"filter": "convolution", "head": "attention", "expert": "mixture"}
_BRIEF_PLACES = {**_PLACES, "filter": "conv"}


def _units(edit: Edit, places: Mapping[str, str], between: str) -> str:
    place = places.get(edit.structure, "layer")
    return between.join((counted(edit.num_units, edit.structure), counted(len(edit.units), place)))
