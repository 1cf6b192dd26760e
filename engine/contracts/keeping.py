"""What a person's patterns keep: `--keep layer1.*,fc1` of blocks and groups, by their paths."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from engine.contracts.edits import Edit
from engine.contracts.errors import UserError
from engine.contracts.near import did_you_mean
from engine.contracts.structure import NetworkStructure

BETWEEN = ","


@dataclass(frozen=True)
class Kept:
    """Blocks (and halves of them) and groups that stay, each with the pattern that says so."""

    blocks: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)


def patterns_of(keep: str | None) -> tuple[str, ...]:
    """The patterns of a setting, in order."""
    return tuple(each for part in (keep or "").split(BETWEEN) if (each := part.strip()))


def kept(structure: NetworkStructure, keep: str | None) -> Kept:
    """What stays of a network as it is.

    A block that is named stays with the units inside of it. What is named inside of a block (a
    group, a half) stays, and with it the block that holds it, which could not go without it.
    """
    patterns = patterns_of(keep)
    if not patterns:
        return Kept()
    blocks = _named((block.path for block in structure.all_blocks()), patterns)
    groups = _named((group.path for group in structure.groups), patterns)
    for block in structure.blocks:
        within = {block.path, *(part.path for part in block.parts)}
        inside = [g for g in structure.groups if not g.crosses_blocks and g.block == block.path]
        for group in inside:
            holders = [path for path in within if _is_in(group.path, path) and path in blocks]
            if holders and group.path not in groups:
                groups[group.path] = blocks[max(holders, key=len)]
        for path in sorted(within, key=len, reverse=True):  # halves before the whole block
            held = [groups[g.path] for g in inside if g.path in groups and _is_in(g.path, path)]
            held += [blocks[part] for part in sorted(within) if part in blocks and part != path
                     and path == block.path]  # fmt: skip
            if held:
                blocks.setdefault(path, held[0])
    return Kept(blocks, groups)


def check_keep(structure: NetworkStructure, keep: str | None, edits: Iterable[Edit] = ()) -> None:
    """Raises UserError for a pattern that names nothing of a network, or of what `edits` took."""
    gone = (path for edit in edits for path in (*edit.blocks, *dict(edit.units)))
    known = [
        *(block.path for block in structure.all_blocks()),
        *(group.path for group in structure.groups),
        *gone,
    ]
    for pattern in patterns_of(keep):
        if not any(fnmatchcase(path, pattern) for path in known):
            hint = did_you_mean(pattern, known)
            raise UserError(
                f"--keep {pattern!r} names no block and no group of this network; {hint}"
                f"`pe-explore structure` lists them ({', '.join(known[:4])}, …)"
            )


def _named(paths: Iterable[str], patterns: tuple[str, ...]) -> dict[str, str]:
    found = ((path, next((p for p in patterns if fnmatchcase(path, p)), None)) for path in paths)
    return {path: pattern for path, pattern in found if pattern is not None}


def _is_in(path: str, block: str) -> bool:
    return not block or path == block or path.startswith(f"{block}.")
