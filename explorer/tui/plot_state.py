"""What a person has chosen for the Pareto plot, and the view that was made of it last."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.contracts.errors import UsageError
from explorer.tui import recents
from explorer.views.pareto.view import WHICH, Choice, ParetoView, chosen


def remembered() -> Choice:
    """What was chosen the last time."""
    words = recents.words()
    try:
        return chosen(words.get("plot.x", ""), words.get("plot.y", ""),
                      words.get("plot.published", WHICH[1]))  # fmt: skip
    except UsageError:
        return Choice()


@dataclass
class Plot:
    """The plot of one app: what is chosen for it, and the newest view with what it was made of."""

    choice: Choice = field(default_factory=remembered)
    made_of: object = None
    view: ParetoView = field(default_factory=lambda: ParetoView(Choice()))


def choose(plot: Plot, choice: Choice) -> None:
    """Takes another choice, and remembers it."""
    plot.choice = choice
    recents.set_words({"plot.x": choice.x, "plot.y": choice.y, "plot.published": choice.published})
