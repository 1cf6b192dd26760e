"""What is left of a root's network after edits, in the names and numbers that the root has.

A network's units are numbered anew after every edit, and a group whose first module went with its
block is called by another one. Here both are followed back to the root, so that nodes of any two
branches can be held beside each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from engine.contracts.edits import Edit
from engine.contracts.structure import NetworkStructure
from engine.contracts.structure_after import structure_after


@dataclass(frozen=True)
class Left:
    """What is left, and what it is called by now.

    `units` has the root's numbers of the units of each group that is left; `names` the root's name
    of each group by the name that it has now.
    """

    blocks: frozenset[str]
    parts: frozenset[str]
    units: Mapping[str, tuple[int, ...]]
    names: Mapping[str, str]
    structure: NetworkStructure

    @staticmethod
    def all_of(root: NetworkStructure) -> Left:
        """Before any edit."""
        return Left(
            frozenset(block.path for block in root.blocks),
            frozenset(part.path for block in root.blocks for part in block.parts),
            {group.path: tuple(range(group.num_units)) for group in root.groups},
            {group.path: group.path for group in root.groups},
            root,
        )

    def after(self, edit: Edit) -> Left:
        """What an edit of this network leaves."""
        gone = {*edit.blocks, *(removal.path for removal in edit.removals)}
        away = {self.names[path]: set(each) for path, each in edit.units if path in self.names}
        units = {
            path: tuple(n for place, n in enumerate(left) if place not in away.get(path, ()))
            for path, left in self.units.items()
        }
        names = self._names_after(edit)
        return Left(
            frozenset(path for path in self.blocks if not _goes(path, gone)),
            frozenset(path for path in self.parts if not _goes(path, gone)),
            {path: left for path, left in units.items() if path in names.values()},
            names,
            structure_after(self.structure, edit),
        )

    def _names_after(self, edit: Edit) -> dict[str, str]:
        """The groups that are left by their new names: each is followed alone."""
        if not edit.blocks and not edit.removals:
            return dict(self.names)
        only_blocks = replace(edit, units=())
        found: dict[str, str] = {}
        for group in self.structure.groups:
            alone = replace(self.structure, blocks=(), groups=(group,), frozen={})
            for after in structure_after(alone, only_blocks).groups:
                found[after.path] = self.names[group.path]
        return found


def left_along(root: NetworkStructure, edits: Sequence[Edit]) -> list[Left]:
    """What is left before the first edit and after each of them."""
    found = [Left.all_of(root)]
    for edit in edits:
        found.append(found[-1].after(edit))
    return found


def _goes(path: str, gone: set[str]) -> bool:
    """Whether a module is removed, or lies in one that is."""
    return any(not each or path == each or path.startswith(f"{each}.") for each in gone)
