"""The Pareto plot as text, for a terminal without a screen."""

from __future__ import annotations

import math
import shutil

from rich.text import Text

from explorer.views.pareto.view import KINDS_DRAWN, MARKS, ParetoView

_LEAST, _MOST = (40, 12), (160, 40)  # columns and lines
_NAMES = {"primary": "published", "rerun": "rerun by others", "quoted": "quoted"}


def pareto_text(view: ParetoView, size: tuple[int, int] | None = None) -> str:
    """The plot with its legend, of the terminal's size where none is given; words where there are
    no points."""
    import plotext  # 0.2 s: only where it is asked for

    points = [p for p in view.points if math.isfinite(p.x) and math.isfinite(p.y)]
    if not points:
        return f"no node has both {view.x.words} and {view.y.words} yet"
    columns, lines = size or shutil.get_terminal_size()
    width, height = (
        min(max(each, least), most)
        for each, least, most in zip((columns, lines - 4), _LEAST, _MOST, strict=True)
    )
    plotext.terminal.limit(False, False)
    figure = plotext.figure  # the library has only this one
    figure.clear()
    figure.plot_size(width, height)
    figure.theme("clear")
    kinds = [kind for kind in KINDS_DRAWN if any(p.kind == kind for p in points)]
    for kind in kinds:  # the best are drawn over the others
        across, up = zip(*((p.x, p.y) for p in points if p.kind == kind), strict=True)
        figure.draw(figure.signal(list(across), list(up), marker=plotext.marker(MARKS[kind])))
    legend = "  ".join(f"{MARKS[kind]} {_NAMES.get(kind, kind)}" for kind in reversed(kinds))
    plot = Text.from_ansi(figure.build().string().rstrip("\n")).plain  # marks tell kinds apart
    return "\n".join([f"{view.y.words}   {legend}", plot, f"{view.x.words:>{width}}"])
