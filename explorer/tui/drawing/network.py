"""A network as lines: its stages, blocks and groups of units as bars, and what went as a ghost.

A bar is as long as the root's group is wide, on one scale for each kind of unit: what is left is
solid, what the last step took is shaded, what went before is light. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import Line, Piece, fit, short_name
from explorer.views.counting import counted
from explorer.views.network.diagram import BlockShown, Diagram, GroupShown, StageShown
from explorer.views.safe_text import safe

LAYER, UNITS = "▬", "▮"
LEFT, NOW, BEFORE, GONE_NOW, GONE_BEFORE, STAYS = "█", "▒", "░", "╌", "┄", "⊘"
_LEAST_BAR, _MOST_BAR, _MOST_NAME, _WITH_WORDS = 6, 64, 32, 60
_MOST_NOTE = 30  # cells that stay free for notes where there is room


def diagram_lines(shown: Diagram, width: int) -> list[Line]:
    """The whole network, one line a block where its groups fit beside each other."""
    lines = [*_head(shown, width), *_legend(shown, width)]
    grid = _Grid.of(shown, width)
    for stage in shown.stages:
        lines += [[], fit(_stage_title(stage), width)]
        for group in stage.groups:
            lines += grid.rows(_group_name(group, stage), "", [group], "", "")
        for block in stage.blocks:
            lines += _block_lines(block, grid)
    return [fit(line, width) for line in lines]


def _head(shown: Diagram, width: int) -> list[Line]:
    blocks = [block for stage in shown.stages for block in stage.blocks]
    groups = [group for stage in shown.stages for group in stage.all_groups]
    told = []
    if blocks:
        told.append(f"{_left(blocks)} of {counted(len(blocks), 'block')}")
    units: dict[str, tuple[int, int]] = {}
    for group in groups:
        left, root = units.get(group.kind, (0, 0))
        units[group.kind] = left + group.left, root + group.root
    told += [f"{left:,} of {counted(root, kind)}" for kind, (left, root) in units.items()]
    if shown.macs is not None:
        gone = shown.macs_reduction
        since = f" ({fig.percent_removed(gone)} since the root)" if gone else ""
        told.append(f"{fig.count_text(shown.macs)} MACs{since}")
    if shown.params is not None:
        told.append(f"{fig.count_text(shown.params)} parameters")
    if not told:
        words = "nothing that can be removed is known of this network"
        return [[(line, "dim")] for line in fig.wrapped(words, width)]
    return flowing([[(text, "title")] for text in told], width, " · ")


def _legend(shown: Diagram, width: int) -> list[Line]:
    """Only what is on the picture."""
    entries: list[list[Piece]] = [[(f"{LEFT} left", "dim")]]
    blocks = [block for stage in shown.stages for block in stage.blocks]
    there = [group for stage in shown.stages for group in stage.groups]
    there += [group for block in blocks if block.state == "left" for group in block.groups]
    since = f"since {safe(shown.parent, 40)}" if shown.parent else "in this step"
    if any(group.left < group.parent for group in there):
        entries.append([(f"{UNITS} {NOW}", "units"), (f" units gone {since}", "dim")])
    if any(block.state == "gone now" for block in blocks):
        entries.append([(f"{LAYER} {GONE_NOW}", "layer"), (f" block gone {since}", "dim")])
    before = any(group.parent < group.root for group in there)
    if before or any(block.state == "gone before" for block in blocks):
        entries.append([(f"{BEFORE} {GONE_BEFORE} gone before", "dim")])
    if any(block.stays for block in blocks):
        entries.append([(f"{STAYS} stays", "dim")])
    return flowing(entries, width)


def flowing(entries: Iterable[Sequence[Piece]], width: int, between: str = "   ") -> list[Line]:
    """Entries of a legend, as many on a line as fit."""
    lines: list[list[Piece]] = [[]]
    used = 0
    for entry in entries:
        cells = sum(cell_len(text) for text, _ in entry)
        if lines[-1] and used + len(between) + cells > width:
            lines.append([])
            used = 0
        if lines[-1]:
            lines[-1].append((between, ""))
            used += len(between)
        lines[-1] += entry
        used += cells
    return [list(line) for line in lines]


def _left(blocks: Sequence[BlockShown]) -> int:
    return sum(block.state == "left" for block in blocks)


def _stage_title(stage: StageShown) -> Line:
    told = []
    if stage.blocks:
        told.append(f"{_left(stage.blocks)} of {counted(len(stage.blocks), 'block')}")
    units: dict[str, tuple[int, int]] = {}
    for group in stage.all_groups:
        left, root = units.get(group.kind, (0, 0))
        units[group.kind] = left + group.left, root + group.root
    told += [f"{left:,} of {counted(root, kind)}" for kind, (left, root) in units.items()]
    return [(safe(stage.name, 60) or "network", "title"), ("  " + " · ".join(told), "dim")]


def _group_name(group: GroupShown, stage: StageShown) -> str:
    name = group.path.removeprefix(f"{stage.name}.")
    return f"{name} (stream)" if group.crosses_blocks else name


def _block_lines(block: BlockShown, grid: _Grid) -> list[Line]:
    name = block.path
    if block.state != "left":
        return [grid.ghost(name, block)]
    now = any(part.state == "gone now" for part in block.parts)
    mark, tone = (LAYER, "layer") if now else ("", "")
    return grid.rows(name, mark, block.groups, _note(block), tone, block.stays is not None)


def _note(block: BlockShown) -> str:
    """Which halves it has lost."""
    lost = [part.path for part in block.parts if part.state != "left"]
    names = ", ".join(safe(path.removeprefix(f"{block.path}."), 30) for path in lost)
    return f"without {names}" if names else ""


@dataclass(frozen=True)
class _Grid:
    """Where names, bars and figures stand, the same in every line of a picture."""

    name: int
    bar: int
    counts: int
    lost: int
    kind: int
    columns: int
    scale: dict[str, int]
    width: int

    @staticmethod
    def of(shown: Diagram, width: int) -> _Grid:
        groups = [group for stage in shown.stages for group in stage.all_groups]
        blocks = [block for stage in shown.stages for block in stage.blocks]
        names = [cell_len(safe(block.path)) for block in blocks]
        names += [
            cell_len(safe(_group_name(group, stage)))
            for stage in shown.stages
            for group in stage.groups
        ]
        name = min(max(names, default=0), _MOST_NAME, max(width // 3, 8))
        counts = max((len(_count(group)) for group in groups), default=4)
        lost = max((len(_lost(group)) for group in groups), default=0)
        kinds = {group.kind for group in groups}
        kind = 0 if len(kinds) < 2 else 2 if width < _WITH_WORDS else max(map(len, kinds)) + 2
        most = max((len(block.groups) for block in blocks), default=1)
        fixed = kind + max(counts, len("gone")) + lost + 4
        notes = max(
            (cell_len(_note(block)) for block in blocks if block.state == "left"), default=0
        )
        room = width - name - 6 - (min(notes, _MOST_NOTE) if width >= 80 else 0)
        columns = max(min(most, room // (fixed + 2 * _LEAST_BAR)), 1)
        bar = min(max(room // columns - fixed, 0), _MOST_BAR)
        scale: dict[str, int] = {}
        for group in groups:
            scale[group.kind] = max(scale.get(group.kind, 1), group.root)
        return _Grid(name, bar, counts, lost, kind, columns, scale, width)

    def rows(
        self, name: str, mark: str, groups: Sequence[GroupShown], note: str, tone: str,
        stays: bool = False,
    ) -> list[Line]:  # fmt: skip
        """A block or group that is left; more lines where its groups do not fit on one."""
        if not mark and any(group.left < group.parent for group in groups):
            mark, tone = UNITS, "units"
        first = self._first(name, mark, tone, "", STAYS if stays else "")
        lines: list[list[Piece]] = []
        for start in range(0, len(groups), self.columns):
            some = groups[start : start + self.columns]
            head = [(" " * (self.name + 6), "")] if lines else first
            lines.append([*head, *(piece for group in some for piece in self._cell(group))])
        lines = lines or [first]
        return [[*lines[0], (note, "dim")], *lines[1:]]

    def ghost(self, name: str, block: BlockShown) -> Line:
        """A block that is gone: an outline as long as it was wide."""
        now = block.state == "gone now"
        tone, outline = ("layer", GONE_NOW) if now else ("dim", GONE_BEFORE)
        pieces = self._first(name, LAYER if now else "", tone, tone)
        for place, group in enumerate(block.groups[: self.columns]):
            word = "" if place else "gone"
            figures = fig.pad(word.rjust(self.counts), self.counts + self.lost + 2)
            drawn = outline * _cells(group.root, self.scale[group.kind], self.bar)
            pieces += [(" " * self.kind + figures, tone), (fig.pad(drawn, self.bar + 2), tone)]
        return pieces if block.groups else [*pieces, ("gone", tone)]

    def _first(self, name: str, mark: str, tone: str, named: str, sign: str = "") -> list[Piece]:
        text = fig.pad(short_name(name, self.name), self.name)
        return [(f" {mark or ' '} ", tone), (text + " ", named), (f"{sign or ' '} ", "dim")]

    def _kind(self, group: GroupShown) -> str:
        """What the units are, where a network has several kinds: a letter where room is short."""
        return fig.pad(f"{group.kind}s", self.kind - 1) + " " if self.kind else ""

    def _cell(self, group: GroupShown) -> list[Piece]:
        solid, now, before = sections(group, self.scale[group.kind], self.bar)
        empty = self.bar + 2 - solid - now - before
        pieces = [
            (self._kind(group), "dim"),
            (_count(group).rjust(self.counts) + " ", ""),
            (_lost(group).ljust(self.lost) + " ", "units"),
            (LEFT * solid, "bar"),
            (NOW * now, "units"),
            (BEFORE * before, "dim"),
            (" " * empty, ""),
        ]
        return [piece for piece in pieces if piece[0]]


def _count(group: GroupShown) -> str:
    return f"{group.left:,}/{group.root:,}"


def _lost(group: GroupShown) -> str:
    """How many the last step took."""
    return f"−{group.parent - group.left:,}" if group.left < group.parent else ""


def _cells(count: int, most: int, bar: int) -> int:
    """How many cells so many units take; any take at least one."""
    return max(round(count / most * bar), 1) if count and bar > 0 else 0


def sections(group: GroupShown, most: int, bar: int) -> tuple[int, int, int]:
    """The cells of what is left, of what went last, and of what went before: together as many as
    the root's units take, and each at least one where there is anything, while there is room."""
    whole = _cells(group.root, most, bar)
    counts = [group.left, group.parent - group.left, group.root - group.parent]
    cells = [0, 0, 0]
    rest, units = whole, group.root
    for place in (1, 2, 0):  # what is small is seen first
        share = round(counts[place] / units * rest) if units and rest else 0
        others = sum(1 for other in (2, 0) if counts[other] and place == 1) + (
            1 if place == 2 and counts[0] else 0
        )
        cells[place] = min(max(share, 1 if counts[place] else 0), max(rest - others, 0))
        rest -= cells[place]
        units -= counts[place]
    return cells[0], cells[1], cells[2]
