"""What is left of the network's stages against the root: blocks, and filters or other units."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.geometry import Size

from explorer.tui.drawing import numbers as fig
from explorer.tui.widgets.lines_view import Line, LinesView
from explorer.views.network_structure import StageView
from explorer.views.safe_text import safe

_BAR = 12  # cells at most


class StagesPane(LinesView):
    """One line a stage."""

    DEFAULT_CSS = "StagesPane { height: auto; overflow-y: auto; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._stages: Sequence[StageView] = ()

    def show(self, stages: Sequence[StageView]) -> None:
        """Shows the stages of one network; none where its family is not known."""
        if tuple(stages) != self._stages:
            grown = len(stages) != len(self._stages)
            self._stages = tuple(stages)
            self.repaint()
            self.refresh(layout=grown)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(len(self._stages), 1)

    def lines(self, width: int, height: int) -> Sequence[Line]:
        return stage_lines(self._stages, width)


def stage_lines(stages: Sequence[StageView], width: int) -> list[Line]:
    """`layer1  blocks ████████░ 8/9  filters ██████░░ 112/144  widths 16 16 …`."""
    if not stages:
        return [[(fig.cut("what this network is made of is not known", width), "dim")]]
    names = [safe(stage.name, 20) for stage in stages]
    columns = [
        _Column("blocks", [(s.num_blocks, s.root_blocks) for s in stages]),
        _Column(f"{stages[0].unit}s", [(s.num_units, s.root_units) for s in stages]),
    ]
    columns = [column for column in columns if column.cells]
    name_cells = max(map(cell_len, names))
    words = width >= 60
    fixed = name_cells + 2 + sum(column.cells + 2 for column in columns)
    fixed += sum(1 + len(column.word) for column in columns) if words else 0
    bar = min(max((width - fixed) // 2, 0), _BAR)
    lines: list[Line] = []
    for place, stage in enumerate(stages):
        pieces = [(fig.pad(names[place], name_cells) + "  ", "title")]
        for column in columns:
            pieces += column.pieces(place, bar, words)
        room = width - sum(cell_len(text) for text, _ in pieces)
        lines.append([*pieces, (_widths(stage.widths, room), "dim")])
    return lines


class _Column:
    """How many are left of how many, a line each; nothing where there never were any."""

    def __init__(self, word: str, counts: Sequence[tuple[int, int]]) -> None:
        self.word, self._counts = word, counts
        self._texts = [f"{left}/{whole}" if whole else "" for left, whole in counts]
        self.cells = max(map(cell_len, self._texts))

    def pieces(self, place: int, bar: int, words: bool) -> list[tuple[str, str]]:
        word = f"{self.word} " if words else ""
        if not self._texts[place]:
            return [(" " * (len(word) + bar + self.cells + 3), "")]
        return [
            (word, "dim"),
            (_left_bar(*self._counts[place], bar), "bar"),
            (f" {self._texts[place].rjust(self.cells)}  ", ""),
        ]


def _left_bar(count: int, whole: int, cells: int) -> str:
    """What is left, as a bar: full only where nothing is gone, and seen while anything is left."""
    share = count / whole if whole else 0.0
    if 0 < count < whole and cells > 1:
        share = min(max(share, 1 / cells), 1 - 1 / cells)
    return fig.bar(share, cells, fig.LEFT)


def _widths(widths: Sequence[int], room: int) -> str:
    """As many of the widths as fit."""
    text = "widths " + " ".join(map(str, widths)) if widths else "nothing is left"
    if cell_len(text) <= room:
        return text
    text = text[: max(room - 1, 0)].rpartition(" ")[0]
    return f"{text} …" if text.count(" ") > 1 and len(text) + 2 <= room else ""
