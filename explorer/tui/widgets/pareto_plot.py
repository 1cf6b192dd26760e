"""The Pareto plot: how much was removed against how well what is left does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import RenderResult
from textual.widget import Widget

from explorer.tui.drawing.plot import (
    MARKS,
    Colour,
    Point,
    pareto_figure,
)
from explorer.views.tree.node import TreeNode

_KINDS = (*MARKS, "axes")


class ParetoPlot(Widget):
    """MACs reduction on x, validation or test accuracy on y, in percent."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"pareto--{kind}" for kind in _KINDS}
    DEFAULT_CSS = """
    ParetoPlot {
        .pareto--axes { color: $foreground 60%; }
        .pareto--node { color: $foreground 55%; }
        .pareto--kept { color: $text-success; }
        .pareto--best { color: $text-warning; }
        .pareto--published { color: $text-primary; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._points: list[tuple[float, float, str]] = []
        self._published: Sequence[Point] = ()
        self._about = ""
        self._drawn: Text | None = None
        self._drawn_of = (0, 0)

    def set_points(
        self,
        nodes: Iterable[TreeNode],
        published: Sequence[Point] = (),
        *,
        best: str | None = None,
        test_changes: Mapping[str, float] | None = None,
    ) -> None:
        """Replaces the points. `best` names the best node; `published` are (reduction, accuracy).

        With `test_changes` the y axis shows these, of the nodes that have one; then `published`
        holds changes of test accuracy too.
        """
        points = [
            (node.macs_reduction, y, _kind(node, best))
            for node in nodes
            if node.macs_reduction is not None and (y := _height(node, test_changes)) is not None
        ]
        about = "validation acc %" if test_changes is None else "Δ test acc (points)"
        if (points, list(published), about) != (self._points, list(self._published), self._about):
            self._points, self._published, self._about = points, published, about
            self._drawn = None
            self.refresh()

    def render(self) -> RenderResult:
        if self._drawn is None or self._drawn_of != self.size:
            self._drawn, self._drawn_of = self._build(), self.size
        return self._drawn

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._drawn = None

    def _build(self) -> Text:
        width, height = self.size
        used = {kind for _, _, kind in self._points} | ({"published"} if self._published else set())
        legend = Text(f"{self._about}  ", self.get_component_rich_style("pareto--axes"))
        for kind, mark in MARKS.items():
            if kind in used:
                style = self.get_component_rich_style(f"pareto--{kind}", partial=True)
                legend.append(f"{mark} {kind}  ", style)
        legend.truncate(width)
        foot = Text("MACs removed %".rjust(width)[:width], legend.style)
        colours = {kind: self._colour(kind) for kind in _KINDS}
        figure = pareto_figure(self._points, self._published, width, height - 2, colours)
        return Text("\n", no_wrap=True).join([legend, figure, foot])

    def _colour(self, kind: str) -> Colour:
        """The theme's colour for plotext; an ANSI theme leaves the palette to the terminal."""
        colour = self.get_component_rich_style(f"pareto--{kind}").color
        if colour is None or colour.is_default:
            return "default"
        if self.app.native_ansi_color and colour.number is not None:
            return colour.number
        triplet = colour.get_truecolor()
        return triplet.red, triplet.green, triplet.blue


def _height(node: TreeNode, test_changes: Mapping[str, float] | None) -> float | None:
    return node.val_accuracy if test_changes is None else test_changes.get(node.name)


def _kind(node: TreeNode, best: str | None) -> str:
    if node.name == best:
        return "best"
    return "kept" if node.kept or node.parent is None else "node"
