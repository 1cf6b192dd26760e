"""What the Pareto plot asks the app for."""

from __future__ import annotations

from pathlib import Path

from explorer.tui import plot_state, presenter_pareto
from explorer.tui.context import Context
from explorer.tui.widgets.pareto_plot import ParetoPlot
from explorer.views.safe_text import safe


def heed(at: Context, message: object) -> None:
    """Does what a message of the plot is about."""
    if isinstance(message, ParetoPlot.Chosen):
        at.screen.select(message.name)
        _paint(at)
    elif isinstance(message, ParetoPlot.Rearranged):
        plot_state.choose(at.state.plot, message.choice)
        _paint(at)
    elif isinstance(message, ParetoPlot.Wanted):
        {"full": _full, "save": _save, "leave": _leave}[message.what](at)


def _paint(at: Context) -> None:
    from explorer.tui.screens.plot_screen import PlotScreen

    at.screen.paint_tab()
    if isinstance(at.app.screen, PlotScreen):
        at.app.screen.paint()


def _full(at: Context) -> None:
    from explorer.tui.screens.plot_screen import PlotScreen

    if isinstance(at.app.screen, PlotScreen):
        at.app.pop_screen()
    else:
        at.app.push_screen(PlotScreen(at.state))


def _leave(at: Context) -> None:
    from explorer.tui.screens.plot_screen import PlotScreen

    if isinstance(at.app.screen, PlotScreen):
        at.app.pop_screen()
    else:
        at.screen.view_in_front().focus()


def _save(at: Context) -> None:
    """The plot as a picture for a paper, in the current folder."""
    at.run_or_notify(lambda: _write(at))


def _write(at: Context) -> None:
    from engine.contracts.files import write_text_atomically
    from explorer.views.figures.pareto_svg import pareto_svg

    view = presenter_pareto.pareto(at.state)
    name = f"{Path(at.state.open_session.store.path).name.partition('.')[0]}-pareto"
    path = _new(Path.cwd(), name)
    write_text_atomically(path, pareto_svg(view))
    at.notify(f"saved {safe(str(path))}")


def _new(folder: Path, name: str) -> Path:
    """A file that is not there yet."""
    path, number = folder / f"{name}.svg", 1
    while path.exists():
        number += 1
        path = folder / f"{name}-{number}.svg"
    return path
