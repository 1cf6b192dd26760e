"""The whole tree in little: its nodes as dots of braille, for what does not fit on the screen."""

from __future__ import annotations

from typing import NamedTuple

from explorer.views.tree.scene import Box, Scene

_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # by line and column of a cell
BLANK = 0x2800


class Cell(NamedTuple):
    x: int
    y: int


class Overview:
    """A scene drawn in so many cells. It costs a look at every node, once for each scene."""

    def __init__(self, scene: Scene, width: int, height: int) -> None:
        self.scene, self.width, self.height = scene, width, height
        self._bits = [[0] * width for _ in range(height)]
        self._across = max(scene.layout.num_columns, 1)
        self._draw()
        path = map(self.cell_of, scene.model.kept_path())
        self.path = frozenset(cell for cell in path if cell is not None)

    def line(self, y: int) -> str:
        return "".join(chr(BLANK + bits) for bits in self._bits[y])

    def _draw(self) -> None:
        layout, bits = self.scene.layout, self._bits
        wide, across = 2 * self.width, self._across
        columns = layout.columns
        above = -1
        for depth, row in enumerate(layout.rows):
            line = self._dot_line(depth)
            for at in range(min(above + 1, line), line + 1):  # as long as its generation
                cells, marks = bits[at // 4], _BITS[at % 4]
                for number in row:
                    dot = columns[number] * wide // across
                    cells[dot // 2] |= marks[dot % 2]
            above = max(above, line)

    def _dot_line(self, depth: int) -> int:
        scene = self.scene
        return scene.tops[depth] * 4 * self.height // max(scene.height, 1)

    def cell_of(self, number: int) -> Cell | None:
        """The cell that holds a node; None where it is folded."""
        layout = self.scene.layout
        depth = layout.depths[number]
        if depth < 0:
            return None
        column = layout.columns[number]
        if column < 0:
            column = layout.columns[self.scene.model.parents[number]]
        return Cell(column * 2 * self.width // self._across // 2, self._dot_line(depth) // 4)

    def box_of(self, view: Box) -> Box:
        """The cells of the part of the drawing that is seen."""
        whole = max(self.scene.width, 1), max(self.scene.height, 1)
        left = min(max(view.x - self.scene.left, 0) * self.width // whole[0], self.width - 1)
        top = min(view.y * self.height // whole[1], self.height - 1)
        right = -(-(view.right - self.scene.left) * self.width // whole[0])
        bottom = -(-view.bottom * self.height // whole[1])
        return Box(
            left, top,
            max(min(right, self.width) - left, 1), max(min(bottom, self.height) - top, 1),
        )  # fmt: skip

    def place_of(self, cell: Cell) -> Cell:
        """The middle of what a cell stands for, in cells of the drawing."""
        scene = self.scene
        return Cell(
            scene.left + (2 * cell.x + 1) * scene.width // (2 * self.width),
            (2 * cell.y + 1) * scene.height // (2 * self.height),
        )
