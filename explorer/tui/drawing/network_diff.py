"""How two networks differ, as lines: blocks of one of them, and groups whose units differ. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from explorer.tui.drawing import numbers as fig
from explorer.tui.drawing.cells import Line, Piece, fit, short_name
from explorer.tui.drawing.network import BEFORE, LAYER, LEFT, UNITS, flowing
from explorer.views.counting import counted
from explorer.views.network.differences import GroupDiffers, NetworksDiffer
from explorer.views.safe_text import safe

_MOST_NAME, _MOST_BAR = 40, 48


def diff_lines(found: NetworksDiffer, width: int) -> list[Line]:
    """The whole difference."""
    a, b = (safe(name, 60) for name in (found.a, found.b))
    lines: list[Line] = [[("A ", "title"), (a, "")], [("B ", "title"), (b, "")], []]
    lines += _figures(found, width)
    if found.is_empty:
        same = "A and B have the same blocks and units; only their weights may differ"
        return [fit(line, width) for line in [*lines, [], *_wrapped(same, width)]]
    sides = (
        ("A", found.blocks_only_a, found.parts_only_a),
        ("B", found.blocks_only_b, found.parts_only_b),
    )
    for letter, blocks, parts in sides:
        lines += _only(letter, blocks, "block", width) + _only(letter, parts, "half", width)
    lines += _groups(found.groups, width)
    return [fit(line, width) for line in lines]


def _wrapped(text: str, width: int) -> list[Line]:
    return [[(line, "")] for line in fig.wrapped(text, width)]


def _figures(found: NetworksDiffer, width: int) -> list[Line]:
    rows = (
        ("MACs", found.macs_a, found.macs_b, found.macs_difference),
        ("parameters", found.params_a, found.params_b, found.params_difference),
    )
    lines: list[Line] = []
    for title, a, b, difference in rows:
        values = f"A {fig.count_text(a):>9}   B {fig.count_text(b):>9}"
        room = width - 11 - cell_len(values)
        change = fig.first_fitting(_changes(a, difference), room)
        lines.append([(f"{title:<11}", "title"), (values, ""), (change, "dim")])
    return lines


def _changes(a: float | None, difference: float | None) -> tuple[str, ...]:
    """How much more or less B has, shorter and shorter."""
    if difference is None:
        return ("",)
    if not difference:
        return ("   the same", "   =")
    sign = "+" if difference > 0 else "−"
    has = f"   B has {sign}{fig.count_text(abs(difference))}"
    if not a:
        return (has, "")
    share = f"{sign}{abs(difference) / a:.1%}"
    return (f"{has} ({share} of A)", f"   B has {share}", f"  {share}", "")


def _only(letter: str, paths: Sequence[str], what: str, width: int) -> list[Line]:
    if not paths:
        return []
    count = f"{len(paths)} halves of blocks" if what == "half" else counted(len(paths), what)
    if what == "half" and len(paths) == 1:
        count = "1 half of a block"
    title: Line = [(f"{LAYER} ", "layer"), (f"only {letter} has {count}", "title")]
    names = " ".join(safe(path) for path in paths)
    return [[], title, *([("  ", ""), (line, "")] for line in fig.wrapped(names, width - 2))]


def _groups(groups: Sequence[GroupDiffers], width: int) -> list[Line]:
    if not groups:
        return []
    title: Line = [
        (f"{UNITS} ", "units"),
        (f"other units in {counted(len(groups), 'group')}", "title"),
    ]
    legend = [
        [(f"{LEFT} both", "dim")],
        [("A", "title"), (" only in A", "dim")],
        [("B", "title"), (" only in B", "dim")],
        [(f"{BEFORE} in neither", "dim")],
    ]
    name = min(max(cell_len(safe(g.path)) for g in groups), _MOST_NAME, max(width // 3, 8))
    texts = [_counts(group) for group in groups]
    figures = max(map(cell_len, texts))
    bar = min(max(width - name - figures - 6, 0), _MOST_BAR)
    most: dict[str, int] = {}
    for group in groups:
        most[group.kind] = max(most.get(group.kind, 1), group.root)
    lines: list[Line] = [[], title, *flowing(legend, width)]
    for group, text in zip(groups, texts, strict=True):
        head = "  " + fig.pad(short_name(group.path, name), name) + "  "
        lines.append([(head, ""), *_bar(group, most[group.kind], bar), (f"  {text}", "")])
    return lines


def _counts(group: GroupDiffers) -> str:
    a, b = ("gone" if n is None else f"{n:,}" for n in (group.a, group.b))
    return f"A {a} B {b} of {counted(group.root, group.kind)}"


def _bar(group: GroupDiffers, most: int, bar: int) -> list[Piece]:
    """Shared, only A's, only B's, and gone in both: each seen where there is any, while there is
    room."""
    only_a, only_b = len(group.only_a), len(group.only_b)
    both = max((group.a or 0) - only_a, 0)
    counts = (both, only_a, only_b, max(group.root - both - only_a - only_b, 0))
    whole = max(round(group.root / most * bar), min(sum(map(bool, counts)), bar))
    cells = [max(round(n / group.root * whole), 1) if n and whole else 0 for n in counts]
    while sum(cells) > whole:
        cells[cells.index(max(cells))] -= 1
    while sum(cells) < whole:
        cells[cells.index(max(cells))] += 1
    marks = ((LEFT, "bar"), ("A", "title"), ("B", "title"), (BEFORE, "dim"))
    pieces = [(mark * n, tone) for (mark, tone), n in zip(marks, cells, strict=True) if n]
    return [*pieces, (" " * (bar - sum(cells)), "")]
