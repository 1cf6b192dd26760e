"""What the Pareto plot asks the app for."""

from __future__ import annotations

from pathlib import Path

from explorer.tui import plot_state, presenter_pareto
from explorer.tui.context import Context
from explorer.tui.widgets.pareto_plot import ParetoPlot


def heed(at: Context, message: object) -> None:
    """Does what a message of the plot is about."""
    if isinstance(message, ParetoPlot.Chosen):
        at.screen.select(message.name)
        _paint(at)
    elif isinstance(message, ParetoPlot.Rearranged):
        plot_state.choose(at.state.plot, message.choice)
        _paint(at)
    elif isinstance(message, ParetoPlot.Wanted):
        {"full": _full, "save": _save}[message.what](at)


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


def _save(at: Context) -> None:
    """The plot as a picture for a paper."""
    from explorer.views.figures.pareto_svg import pareto_svg

    save_new(at, f"{at.store_name}-pareto", pareto_svg(presenter_pareto.pareto(at.state)))


def save_new(at: Context, name: str, picture: str) -> None:
    """Saves a picture; one that is there is not written over."""
    number = 1
    while not at.app.is_web and (Path.cwd() / _numbered(name, number)).exists():
        number += 1
    at.save(_numbered(name, number), picture)


def _numbered(name: str, number: int) -> str:
    return f"{name}.svg" if number == 1 else f"{name}-{number}.svg"
