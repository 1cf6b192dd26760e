"""Live curves of the running jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from textual.strip import Strip
from textual.widget import Widget

from explorer.tui.drawing.plot import Point, braille_lines

Side = Literal["layer", "units", "root"]  # whose colour a curve has (docs/design.md)
SIDES: tuple[Side, ...] = ("layer", "units", "root")


class LiveCurves(Widget):
    """Loss above accuracy, a line each for every series that was set."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"curves--{side}" for side in ("axis", *SIDES)}
    DEFAULT_CSS = """
    LiveCurves {
        .curves--axis { color: $foreground 60%; }
        .curves--layer { color: $layer; text-style: bold; }
        .curves--units { color: $units; text-style: bold; }
        .curves--root { color: $foreground; }
        &:ansi {
            .curves--axis { color: ansi_default; text-style: dim; }
            .curves--root { color: ansi_default; }
        }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._loss: Mapping[str, Sequence[Point]] = {}
        self._accuracy: Mapping[str, Sequence[Point]] = {}
        self._x_label = "epoch"
        self._sides: Mapping[str, Side] = {}
        self._strips: list[Strip] | None = None
        self._strips_of = (0, 0)

    def set_series(
        self,
        loss: Mapping[str, Sequence[Point]],
        accuracy: Mapping[str, Sequence[Point]] | None = None,
        *,
        x_label: str = "epoch",
        sides: Mapping[str, Side] | None = None,
    ) -> None:
        """Replaces the curves: by name, points of (epoch, loss) and of (epoch, percent), and which
        of the two choices it is; those of one side differ by how their line is dotted."""
        given = (loss, accuracy or {}, x_label, sides or {})
        if given == (self._loss, self._accuracy, self._x_label, self._sides):
            return
        self._sides = dict(sides or {})
        # Copies: the caller's lists grow, and would always equal themselves.
        self._loss = {name: list(points) for name, points in loss.items()}
        self._accuracy = {name: list(points) for name, points in (accuracy or {}).items()}
        self._x_label = x_label
        self._strips = None
        self.refresh()

    def render_line(self, y: int) -> Strip:
        if self._strips is None or self._strips_of != self.size:
            self._strips, self._strips_of = self._build(), self.size
        return self._strips[y] if y < len(self._strips) else Strip.blank(self.size.width)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._strips = None

    def _build(self) -> list[Strip]:
        width, height = self.size
        base = self.rich_style
        styles = {side: self.get_component_rich_style(f"curves--{side}") for side in SIDES}
        axis = self.get_component_rich_style("curves--axis")
        parts = [("loss", self._loss)]
        if self._accuracy:
            parts.append(("acc %", self._accuracy))
        if (not self._loss and len(parts) > 1) or height < 10:
            parts = parts[-1:] if not self._loss else parts[:1]
        strips: list[Strip] = []
        for place, (label, series) in enumerate(parts):
            rows = height // len(parts) + (height % len(parts) if not place else 0)
            lines = braille_lines(
                series, width, rows, x_label=self._x_label, y_label=label,
                styles=[styles[self._sides.get(name, "root")] for name in series], axis_style=axis,
            )  # fmt: skip
            for line in lines:
                segments = line.render(self.app.console)
                strips.append(Strip(segments).adjust_cell_length(width).apply_style(base))
        return strips
