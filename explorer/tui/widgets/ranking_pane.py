"""What may go next: the blocks by their importance, and where the least important units sit."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from engine.contracts.networks import Scores
from explorer.tui.drawing import numbers as fig
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.safe_text import safe

NO_SCORES = Scores({}, {})
NOTHING: Mapping[str, str] = {}


class RankingPane(LinesView, can_focus=True):
    """A proposal's blocks, the first to go on top; one can be chosen."""

    DEFAULT_CSS = "RankingPane { overflow-y: auto; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "move(-10)", "Up", show=False),
        Binding("pagedown", "move(10)", "Down", show=False),
        Binding("home", "move(-1000000)", "First", show=False),
        Binding("end", "move(1000000)", "Last", show=False),
        Binding("enter", "choose", "Candidate without it", show=False),
    ]

    class BlockChosen(Message):
        """A block was asked for by enter or a double click."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._scores = NO_SCORES
        self._chosen: frozenset[str] = frozenset()
        self._removed_in: Mapping[str, str] = {}
        self._filters: Mapping[str, Collection[int]] | None = None
        self._staying: Mapping[str, str] = {}
        self._unit = "filter"
        self._paths: list[str] = []
        self._selected: str | None = None

    @property
    def selected(self) -> str | None:
        """The path of the block that the cursor is on."""
        return self._selected

    def show(
        self,
        scores: Scores | None,
        chosen: Collection[str] = (),
        removed_in: Mapping[str, str] | None = None,
        filters: Mapping[str, Collection[int]] | None = None,
        staying: Mapping[str, str] | None = None,
        unit: str = "filter",
    ) -> None:
        """Shows a proposal's scores. `chosen` are the blocks that candidates remove, `removed_in`
        by block the names of these candidates, `filters` the units that a candidate removes,
        `staying` by block why it is never proposed, `unit` what units are called."""
        values = scores or NO_SCORES, frozenset(chosen), removed_in or {}, filters, staying or {}
        known = self._scores, self._chosen, self._removed_in, self._filters, self._staying
        if (values, unit) == (known, self._unit):
            return
        self._unit = unit
        self._scores, self._chosen, self._removed_in, self._filters, self._staying = values
        self._paths = ranked(self._scores)
        if self._selected not in self._paths:
            self._selected = self._paths[0] if self._paths else None
        self.repaint()

    def lines(self, width: int, height: int) -> Sequence[Line]:
        units = filter_lines(self._scores.units, self._filters, width, self._unit)
        if not self._paths and not units:
            return [[(fig.cut("no scores yet: g grows this node", width), "dim")]]
        blocks = block_lines(
            self._scores.blocks, self._paths, self._chosen, self._removed_in,
            self._selected if self.has_focus else None, width, self._staying,
        )  # fmt: skip
        return [*(blocks if self._paths else []), *units]

    # ------------------------------------------------------------ the cursor

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    def action_move(self, step: int) -> None:
        """Moves the cursor; at the ends it stays."""
        if self._selected is not None:
            self._go(self._paths.index(self._selected) + step)

    def action_choose(self) -> None:
        if self._selected is not None:
            self.post_message(self.BlockChosen(self._selected))

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None:
            return
        row = place.y + self.scroll_offset.y - 1  # below the heading
        if 0 <= row < len(self._paths):
            self._go(row)
            if event.chain == 2:
                self.action_choose()

    def _go(self, place: int) -> None:
        place = min(max(place, 0), len(self._paths) - 1)
        self._selected = self._paths[place]
        self.repaint()
        line, top, height = place + 1, self.scroll_offset.y, self.size.height
        if place == 0:
            top = 0
        elif place == len(self._paths) - 1:  # the filters below come into view too
            top = min(line, self.max_scroll_y)
        self._scroll_to_line(min(max(top, line - height + 1), line))

    def _scroll_to_line(self, line: int) -> None:
        if line != self.scroll_offset.y:
            self.scroll_to(y=line, animate=False, force=True, immediate=True)


def ranked(scores: Scores) -> list[str]:
    """The paths of the blocks, the least important first; equals in the network's order."""
    return sorted(scores.blocks, key=lambda path: _importance(scores.blocks[path]))


def _importance(value: float | None) -> float:
    known = fig.number(value)
    return math.inf if known is None else known


def block_lines(
    blocks: Mapping[str, float], paths: Sequence[str], chosen: Collection[str],
    removed_in: Mapping[str, str], selected: str | None, width: int,
    staying: Mapping[str, str] = NOTHING,
) -> list[Line]:  # fmt: skip
    """A heading, then one line a block: its place, path, importance and a logarithmic bar."""
    lines: list[Line] = [[(fig.cut("blocks, least important first (log bars)", width), "dim")]]
    names = [safe(path) for path in paths]
    name_cells = min(max(map(cell_len, names)), max(width // 3, 8))
    positive = [v for path in paths if (v := fig.number(blocks[path])) is not None and v > 0]
    notes = [_note(path, chosen, removed_in, staying, width) for path in paths]
    note_cells = max(map(cell_len, notes))
    bar = max(width - 5 - name_cells - 2 - 9 - note_cells - 1, 0)
    for place, (path, name, note) in enumerate(zip(paths, names, notes, strict=True), 1):
        value = fig.number(blocks[path])
        figure = fig.NONE if value is None else f"{value:.2e}"
        marker = "▸" if path == selected else " "
        head = f"{marker}{place:>3} {fig.pad(fig.cut(name, name_cells), name_cells)}"
        drawn = fig.pad(fig.bar(_log_share(value, positive), bar), bar)
        if path == selected:
            row = f"{head} {figure:>9} {drawn}{note}"
            lines.append([(fig.pad(row, width), "cursor")])
        else:
            stays = path in staying and path not in removed_in and path not in chosen
            tone = "dim" if stays else "warning" if note else ""
            lines.append([(head, tone), (f" {figure:>9} ", ""), (drawn, "bar"), (note, tone)])
    return lines


def _note(
    path: str, chosen: Collection[str], removed_in: Mapping[str, str],
    staying: Mapping[str, str], width: int,
) -> str:  # fmt: skip
    """Whether a block goes or why it stays; at little width only a sign."""
    goes = path in chosen or path in removed_in
    if width < 50:
        return " ←" if goes else " ⊘" if path in staying else ""
    if path in removed_in:
        return f" ← goes in {safe(removed_in[path], 30)}"
    if goes:
        return " ← goes"
    return f" ⊘ {staying[path]}" if path in staying else ""


def _log_share(value: float | None, positive: Sequence[float]) -> float:
    """Where the value lies between the least and the largest one, by orders of magnitude; the
    least one still shows."""
    if value is None or value <= 0:
        return 0.0
    low, high = math.log10(min(positive)) - 0.2, math.log10(max(positive))
    return (math.log10(value) - low) / (high - low)


def filter_lines(
    filters: Mapping[str, Sequence[float]],
    going: Mapping[str, Collection[int]] | None,
    width: int,
    unit: str = "filter",
) -> list[Line]:
    """Per group how many units go; without an edit, how many of the lowest tenth it has."""
    if not filters:
        return []
    if going is not None:
        counts = {path: len(going.get(path, ())) for path in filters}
        title = f"{unit}s that go: {sum(counts.values())}"
    else:
        tenth = max(sum(map(len, filters.values())) // 10, 1)
        lowest = sorted((_importance(v), p) for p, values in filters.items() for v in values)
        counts = dict.fromkeys(filters, 0)
        for _, path in lowest[:tenth]:
            counts[path] += 1
        title = f"where the {tenth} lowest-scored {unit}s are"
    texts = [
        f"{safe(path).removesuffix('.conv1')} {count}/{len(filters[path])}"
        for path, count in counts.items()
        if count
    ]
    lines: list[Line] = [[(fig.cut(title, width), "dim")]]
    cells = max((cell_len(text) for text in texts), default=1) + 2
    a_line = max(width // cells, 1)
    for start in range(0, len(texts), a_line):
        row = "".join(fig.pad(text, cells) for text in texts[start : start + a_line])
        lines.append([(fig.cut(row.rstrip(), width), "")])
    return lines
